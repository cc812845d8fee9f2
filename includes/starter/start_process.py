def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this interpreter, and arguments from this file
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path({{ 'environment' if framework == 'django' else 'settings' }}.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
