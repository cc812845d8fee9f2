def load() -> Settings:
    """Return the settings, or exit with 1 and one line that says which are wrong, and how."""
    try:
        return Settings()
    except SettingsError as error:
        problems = [str(error)]
    except ValidationError as error:
        problems = [
            ": ".join([*map(variable, problem["loc"]), problem["msg"]])
            for problem in error.errors()
        ]
    sys.exit("bad settings: " + "; ".join(problems).replace("Value error, ", ""))


def variable(part: str | int) -> str:
    """Return the environment variable's name; pydantic tells either that or the field's."""
    field = Settings.model_fields.get(str(part))
    return field.alias if field and field.alias else str(part).upper()
