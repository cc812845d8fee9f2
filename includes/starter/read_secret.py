def read_secret(path: str | Path) -> str | None:
    """Return what a secret's file holds; None where there is no such file, or nothing in it."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: not UTF-8 text") from None


# The variable names a file, the setting holds the file's content.
SecretFile = Annotated[SecretStr | None, BeforeValidator(read_secret)]
