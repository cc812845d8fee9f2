"""A heavy app: it answers with a prediction."""

import io

import numpy
import pandas
import pyarrow
from fastapi import FastAPI
from sklearn.linear_model import LinearRegression

frame = pandas.read_csv(io.StringIO("x,y\n0,1\n1,3\n2,5\n"))
model = LinearRegression().fit(frame[["x"]], frame["y"])
table = pyarrow.Table.from_pandas(frame)
app = FastAPI()


@app.get("/healthz")
async def healthz() -> dict[str, float]:
    return {"rows": table.num_rows, "y": round(float(model.predict(pandas.DataFrame({"x": numpy.array([3])}))[0]), 3)}


@app.get("/items")
async def items() -> list[dict[str, int]]:
    return frame.to_dict("records")
