"""Numbers, tables, charts and images."""

import sys
from pathlib import Path

from packages.helpers import digest, tool, write


def use_altair():
    import altair
    import pandas

    chart = altair.Chart(pandas.DataFrame({"a": [1, 2], "b": [3, 4]})).mark_bar().encode(x="a", y="b")
    print(chart.to_json(), digest(chart.to_html()), altair.theme.names())


def use_astropy():
    import astropy.constants
    import astropy.units as u
    import astropy.utils.iers
    import numpy
    from astropy.coordinates import SkyCoord
    from astropy.cosmology import Planck18
    from astropy.io import fits
    from astropy.table import Table
    from astropy.time import Time
    from astropy.wcs import WCS

    print(SkyCoord("1h12m43.2s +1d12m43s").galactic, Planck18.luminosity_distance(1), (1 * u.pc).to(u.km))
    print(Time("2020-01-01").tdb.jd, WCS(naxis=2))
    fits.writeto("a.fits", numpy.arange(4.0))
    print(fits.getdata("a.fits"), Table({"a": [1]}).pformat())
    print(len(astropy.utils.iers.LeapSeconds.auto_open()), astropy.constants.c)
    tool("fitsinfo", "a.fits")


def use_biopython():
    from Bio import Align, SeqIO
    from Bio.Align import substitution_matrices
    from Bio.Seq import Seq

    print(Seq("ATGGCCTAA").translate(), substitution_matrices.load("BLOSUM62")["A"]["R"])
    print(Align.PairwiseAligner().align("GATTACA", "GCATGCU")[0])
    print([record.id for record in SeqIO.parse(write("a.fasta", ">a\nACGT\n"), "fasta")])


def use_bokeh():
    from bokeh.embed import file_html
    from bokeh.plotting import figure
    from bokeh.resources import INLINE

    plot = figure(title="A plot")
    plot.line([1, 2], [3, 4])
    page = file_html(plot, INLINE, "A page")
    print(page.count("<script"), digest(page[: page.rindex("<script")].split("bk-root")[0][:100_000]))
    tool("bokeh", "info", errors=False)


def use_cvxpy():
    import cvxpy

    x = cvxpy.Variable()
    problem = cvxpy.Problem(cvxpy.Minimize((x - 1) ** 2), [x >= 2])
    for solver in ("CLARABEL", "OSQP", "SCS"):
        problem.solve(solver=solver)
        print(solver, problem.status, round(problem.value, 3))


def use_dask():
    import dask
    import dask.array
    import dask.dataframe
    import pandas

    print(dask.config.get("array.chunk-size"), dask.array.ones((10, 10), chunks=5).sum().compute())
    frame = dask.dataframe.from_pandas(pandas.DataFrame({"a": range(10), "b": [1, 2] * 5}), npartitions=2)
    print(frame.groupby("b").a.sum().compute(), frame._repr_html_(), dask.array.ones((4, 4))._repr_html_())


def use_folium():
    import folium

    place = folium.Map([45, 6])
    folium.Marker([45, 6], popup="x").add_to(place)
    print(place.get_root().render().count("leaflet"))


def use_geopandas():
    import geopandas
    from shapely.geometry import Point

    frame = geopandas.GeoDataFrame({"a": [1]}, geometry=[Point(6, 45)], crs=4326)
    frame.to_crs(3857).to_file("a.gpkg")
    print(geopandas.read_file("a.gpkg"), frame.estimate_utm_crs())


def use_gmpy2():
    import gmpy2

    print(gmpy2.isqrt(10**40), gmpy2.const_pi(200), gmpy2.mpc(1, 2) ** 3)


def use_h5py():
    import h5py
    import numpy

    with h5py.File("a.h5", "w") as file:
        file.create_dataset("x", data=numpy.arange(100), compression="gzip")
    with h5py.File("a.h5") as file:
        print(file["x"][:5], h5py.version.hdf5_version)


def use_matplotlib():
    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib import font_manager

    for style in ("default", "ggplot", "dark_background"):
        plt.style.use(style)
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3], label="$\\alpha^2$")
        axes.legend()
        for kind in ("png", "svg", "pdf"):
            figure.savefig(f"a.{kind}", metadata={"Date": None} if kind == "svg" else None)
            print(kind, Path(f"a.{kind}").stat().st_size)
    print(len(plt.style.available), len(matplotlib.colormaps), Path(font_manager.findfont("DejaVu Sans")).name)


def use_networkx():
    import networkx

    graph = networkx.karate_club_graph()
    print(networkx.pagerank(graph)[0], networkx.shortest_path(graph, 0, 33), len(networkx.graph_atlas_g()))
    networkx.write_graphml(graph, "a.graphml")
    print(networkx.read_graphml("a.graphml"))


def use_numba():
    import numba
    import numpy

    @numba.njit
    def total(values):
        result = 0.0
        for value in values:
            result += value**2
        return result

    @numba.njit(parallel=True)
    def parallel(values):
        for i in numba.prange(len(values)):
            values[i] *= 2
        return values

    @numba.vectorize(["float64(float64)"])
    def double(value):
        return value * 2

    print(total(numpy.arange(5.0)), parallel(numpy.arange(5.0)), double(numpy.arange(3.0)))
    print(total.inspect_types is not None, numba.typed.Dict.empty(numba.types.int64, numba.types.int64))


def use_numexpr():
    import numexpr
    import numpy

    print(numexpr.evaluate("a * 2 + 1", {"a": numpy.arange(5)}), numexpr.use_vml)


def use_numpy():
    import numpy
    import numpy.testing

    print(numpy.linalg.inv(numpy.array([[1.0, 2], [3, 4]])), numpy.fft.fft([1, 2, 3]))
    print(numpy.random.default_rng(1).normal(size=3), numpy.polynomial.Polynomial([1, 2]))
    numpy.testing.assert_allclose([1.0], [1.0 + 1e-9])
    from numpy import f2py

    write("fib.f90", "subroutine fib(n, a)\n  integer, intent(in) :: n\n  real, intent(out) :: a(n)\n  a = 1\nend\n")
    print(f2py.run_main(["-m", "fib", "fib.f90", "--quiet"]))
    print(sorted(path.name for path in Path().iterdir()))
    numpy.show_config()


def use_onnx():
    import numpy
    import onnx
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", inputs, outputs)
    model = helper.make_model(graph)
    onnx.checker.check_model(model)
    print(onnx.shape_inference.infer_shapes(model).graph.name, len(onnx.defs.get_all_schemas()))
    print(ReferenceEvaluator(model).run(None, {"x": numpy.array([-1, 2], numpy.float32)}))


def use_onnxruntime():
    import numpy
    import onnxruntime
    from onnx import TensorProto, helper
    from onnxruntime import datasets

    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    print(session.run(None, {"x": numpy.array([0, 1], numpy.float32)}), session.get_providers())
    print(Path(datasets.get_example("sigmoid.onnx")).name)


def use_opencv_python_headless():
    import cv2
    import numpy

    image = cv2.circle(numpy.zeros((64, 64, 3), numpy.uint8), (32, 32), 20, (255, 0, 0), -1)
    print(cv2.imencode(".png", image)[1].size, cv2.Canny(image, 10, 20).sum())
    print(len(list(Path(cv2.data.haarcascades).glob("*.xml"))))
    cv2.imwrite("a.jpg", image)
    print(cv2.imread("a.jpg").shape)


def use_pandas():
    import io

    import pandas
    import pandas.testing

    frame = pandas.DataFrame({"a": [1, 2, 2], "b": pandas.date_range("2020-01-01", periods=3, tz="Europe/Paris")})
    print(frame.groupby("a").count(), frame.describe(), frame.style.highlight_max("a").to_html(uuid="x"))
    frame.assign(b="x").to_excel("a.xlsx")
    frame.to_parquet("a.parquet")
    print(pandas.read_excel("a.xlsx"), pandas.read_parquet("a.parquet"), frame.to_json(), frame.to_html())
    print(pandas.read_csv(io.StringIO("a,b\n1,2\n")), frame.set_index("b").a.rolling("2D").sum())
    pandas.testing.assert_frame_equal(frame, frame)
    print(frame.to_latex(), frame.to_markdown() if "tabulate" in sys.modules else "")
    pandas.show_versions()


def use_patsy():
    import patsy

    print(patsy.dmatrix("a + C(b)", {"a": [1, 2, 3], "b": ["x", "y", "x"]}))


def use_pillow():
    import io

    from PIL import Image, ImageCms, ImageDraw, ImageFont, features

    image = Image.new("RGB", (64, 64), "red")
    ImageDraw.Draw(image).text((5, 5), "hi", font=ImageFont.load_default(16))
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "AVIF", "JPEG2000", "PDF"):
        file = io.BytesIO()
        image.save(file, kind)
        print(kind, Image.open(file).size if kind != "PDF" else len(file.getvalue()) > 1000)
    print(ImageCms.createProfile("sRGB"), features.get_supported())


def use_plotly():
    import plotly.express as px
    import plotly.io

    figure = px.scatter(px.data.iris(), x="sepal_width", y="sepal_length", color="species", template="seaborn")
    print(digest(figure.to_json()), list(plotly.io.templates))
    print(digest(figure.to_html(include_plotlyjs=True, div_id="x")), len(px.data.gapminder()))


def use_polars():
    import polars

    frame = polars.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})
    print(frame.lazy().group_by("a").agg(polars.col("b").str.join("-")).sort("a").collect())
    frame.write_parquet("a.parquet")
    print(polars.read_parquet("a.parquet"), polars.SQLContext(t=frame).execute("select sum(a) from t").collect())


def use_pyarrow():
    import pyarrow
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.flight
    import pyarrow.orc
    import pyarrow.parquet

    table = pyarrow.table({"a": [1, 2], "b": ["x", "y"]})
    pyarrow.parquet.write_table(table, "a.parquet", compression="zstd")
    print(pyarrow.dataset.dataset("a.parquet").to_table(filter=pyarrow.compute.field("a") > 1))
    pyarrow.orc.write_table(table, "a.orc")
    print(
        pyarrow.orc.read_table("a.orc"), pyarrow.compute.utf8_upper(table["b"]), pyarrow.flight.Location("grpc://x:1")
    )
    print(
        len(pyarrow.get_libraries()),
        pyarrow.compute.strftime(pyarrow.array([0], pyarrow.timestamp("s", "Europe/Paris"))),
    )


def use_pyproj():
    import pyproj

    print(pyproj.Transformer.from_crs(4326, 2154).transform(45, 6), pyproj.CRS(32632).to_wkt(pretty=True))
    print(pyproj.Geod(ellps="WGS84").inv(6, 45, 7, 46), Path(pyproj.datadir.get_data_dir()).name)


def use_pytensor():
    import pytensor
    import pytensor.tensor as pt

    x = pt.vector("x")
    for mode in ("FAST_RUN", "FAST_COMPILE", pytensor.compile.mode.Mode("cvm", "fast_run")):
        function = pytensor.function([x], pytensor.gradient.grad(pt.sum(pt.exp(x) * x), x), mode=mode)
        print(function([0.0, 1.0]))
    values, *_ = pytensor.scan(lambda i, total: total + i, sequences=x, outputs_info=pt.constant(0.0, dtype=x.dtype))
    for mode in ("FAST_RUN", pytensor.compile.mode.Mode("cvm", "fast_run")):
        print(pytensor.function([x], values, mode=mode)([1.0, 2.0]))


def use_pywavelets():
    import pywt
    import pywt.data

    print(pywt.dwt([1, 2, 3, 4], "db2"), len(pywt.wavelist()), pywt.data.camera().shape)


def use_scikit_learn():
    import sklearn.datasets
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.estimator_checks import check_estimator

    x, y = sklearn.datasets.load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    print(model.score(x, y), RandomForestClassifier(10, random_state=1).fit(x, y).predict(x[:3]))
    print(digest(model._repr_html_()), sklearn.datasets.load_digits().data.shape, sklearn.datasets.load_sample_images())
    print(sklearn.datasets.load_diabetes(as_frame=True).frame.shape, len(sklearn.datasets.load_breast_cancer().DESCR))
    check_estimator(LogisticRegression(), on_skip=None)


def use_scipy():
    import scipy
    from scipy import (
        LowLevelCallable,
        fft,
        integrate,
        interpolate,
        linalg,
        ndimage,
        optimize,
        signal,
        sparse,
        spatial,
        special,
        stats,
    )

    print(optimize.minimize(lambda x: (x[0] - 1) ** 2, [3.0]).x, linalg.svdvals([[1, 2], [3, 4]]), special.gamma(5.5))
    print(stats.norm.fit([1, 2, 3]), sparse.linalg.spsolve(sparse.eye(3, format="csc"), [1, 2, 3]), fft.dct([1.0, 2]))
    print(
        spatial.ConvexHull([[0, 0], [1, 0], [0, 1]]).volume, signal.butter(2, 0.3), ndimage.gaussian_filter([1.0, 2], 1)
    )
    print(integrate.quad(lambda x: x**2, 0, 1), interpolate.CubicSpline([1, 2, 3], [1, 4, 9])(2.5))
    print(stats.qmc.Sobol(2, rng=1).random(4), LowLevelCallable.__name__, scipy.constants.find("electron mass"))
    print(interpolate.RBFInterpolator([[0.0], [1], [2]], [0.0, 1, 4])([[1.5]]), optimize.milp([1.0], bounds=(0, 1)).x)


def use_seaborn():
    import pandas
    import seaborn

    grid = seaborn.relplot(pandas.DataFrame({"a": [1, 2], "b": [2, 3], "c": ["x", "y"]}), x="a", y="b", hue="c")
    grid.savefig("a.png")
    print(Path("a.png").stat().st_size, seaborn.color_palette("rocket", 2))


def use_shapely():
    import shapely

    print(shapely.Point(0, 0).buffer(1).area, shapely.from_wkt("POLYGON((0 0, 1 0, 1 1, 0 0))").centroid)
    print(shapely.geos_version_string, shapely.STRtree([shapely.Point(1, 1)]).nearest(shapely.Point(0, 0)))


def use_statsmodels():
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    data = sm.datasets.longley.load_pandas().data
    print(smf.ols("TOTEMP ~ GNP + UNEMP", data).fit().params)
    print(sm.tsa.ARIMA(data.GNP.to_numpy(), order=(1, 0, 0)).fit().params.round(1))
    print(len(sm.datasets.sunspots.load_pandas().data), sm.datasets.macrodata.load().data.shape)
    print(sm.nonparametric.lowess([1.0, 2, 3, 4], [1.0, 2, 3, 4]), sm.stats.multipletests([0.01, 0.5]))


def use_sympy():
    import sympy
    from sympy.parsing.latex import parse_latex
    from sympy.parsing.mathematica import parse_mathematica

    x = sympy.symbols("x")
    print(sympy.integrate(sympy.sin(x) ** 2, x), sympy.solve(x**3 - 2, x), sympy.latex(sympy.Integral(x, x)))
    print(sympy.lambdify(x, x**2)(3), parse_mathematica("Sin[x]^2"), sympy.pretty(sympy.Matrix([[x]])))
    print(sympy.printing.ccode(x**2), parse_latex("x^2", backend="lark"))
    from sympy.utilities.autowrap import autowrap

    print(autowrap(x**2, backend="cython")(3.0) if "cython" in sys.argv else "")


def use_xarray():
    import numpy
    import xarray

    data = xarray.Dataset({"a": (("x", "y"), numpy.arange(4).reshape(2, 2))})
    print(data.mean("x"), digest(data._repr_html_()[:200]), xarray.backends.list_engines().keys())
    data.to_zarr("a.zarr", consolidated=False)
    print(xarray.open_zarr("a.zarr", consolidated=False).a.values)


def use_zarr():
    import zarr

    array = zarr.create_array("a.zarr", shape=(10, 10), chunks=(5, 5), dtype="i4")
    array[:] = 7
    print(zarr.open_array("a.zarr")[:].sum(), array.info)


def use_scikit_image():
    import skimage
    from skimage import color, feature, filters, measure, transform

    image = skimage.data.camera()
    print(filters.sobel(image).sum(), measure.label(image > 100).max(), transform.rescale(image, 0.5).shape)
    print(feature.canny(image).sum(), color.rgb2lab(skimage.data.astronaut()).mean(), skimage.data.coins().shape)
    print(sorted(dir(skimage)), skimage.graph, feature.Cascade(skimage.data.lbp_frontal_face_cascade_filename()))
