    # Every interface of the container; which one of the host's gets the port is compose's choice.
    host: str = "0.0.0.0"  # noqa: S104
    port: int = Field({{ port }}, ge=1024, le=65535)
    # Processes, and the requests that each answers at once. A further process pays where there
    # is a further CPU for it, and takes memory of its own.
    web_concurrency: int = Field(1, ge=1, le=32)
    threads: int = Field(8, ge=1, le=64)
    health_path: UrlPath = "{{ health_path }}"
    log_level: LogLevel = "INFO"
    # How long open requests may take after a stop signal. Less than compose's stop_grace_period,
    # at whose end the engine kills the process.
    shutdown_seconds: int = Field(20, ge=1, le=25)
    service_version: str = "0.0.0-dev"
