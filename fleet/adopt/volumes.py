"""The folders that the service writes."""

import re

from .evidence import Evidence
from .results import Result
from .settings import Settings

PLACE = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
# Places of other services, of the system, and of tools.
FOREIGN = re.compile(
    r"/(var/lib/(postgres\w*|mysql|redis|mongo\w*|rabbitmq|elasticsearch)|usr|etc|proc|sys|dev|bin|sbin|lib|boot"
    r"|root|home|opt|run|var/run|tmp|bitnami)(/|$)"
)
CACHE = re.compile(r"node_modules|\.venv|/venv\b|site-packages|\.cache|__pycache__")
SETTINGS = ("MEDIA_ROOT", "UPLOAD_FOLDER", "UPLOAD_DIR", "UPLOADS_DIR", "UPLOAD_PATH", "UPLOADED_FILES_DEST")


def find_volumes(evidence: Evidence, settings: Settings, command: str = "") -> Result:
    """Find data_dirs, and what else the service writes."""
    result = Result()
    places: dict[str, str] = {}
    image = evidence.image
    for place in image.volumes if image else ():
        places.setdefault(_moved(evidence, place), image.path if image else "")
    for service in evidence.built:
        for place in service.volumes:
            places.setdefault(_moved(evidence, place), service.file)
    for word in command.split()[1:]:
        if PLACE.fullmatch(word) and "." not in word.rsplit("/", 1)[-1] and not FOREIGN.match(word):
            places.setdefault(word, "the start command")
    named = [name for name in SETTINGS if settings.find(name)]
    unknown = []
    for name in named:
        found = settings.path_of(name)
        if found and found != "/app":
            places.setdefault(found, f"{name} in the settings")
        else:
            unknown.append(name)
    static = settings.path_of("STATIC_ROOT")
    kept, refused = {}, []
    for place, where in places.items():
        if CACHE.search(place):
            continue
        is_static = bool(re.search(r"(^|/)(collected_?)?static([-_]?files|_root|_volume)?$", place))
        if is_static or (static and (place == static or static.startswith(f"{place}/"))):
            refused.append(f"{place} has the static files, which the image contains: serve them from it")
        elif place in ("/", "/app"):
            refused.append(f"{place} cannot be a volume: name the folders that the service writes in it")
        elif not PLACE.fullmatch(place) or FOREIGN.match(place):
            refused.append(f"{place} is no place for data of this image: choose another, and change the settings")
        else:
            kept[place] = where
    kept = {
        place: where
        for place, where in kept.items()
        if not any(place.startswith(f"{other}/") for other in kept if other != place)
    }
    result.answer("data_dirs", " ".join(kept), f"found in {', '.join(dict.fromkeys(kept.values()))}")
    for message in dict.fromkeys(refused):
        result.do_by_hand("writes", f"{message}.")
    sqlite = any(re.match(r"sqlite(\+\w+)?:///", text) for text in evidence.source.strings)
    sqlite = sqlite or "django.db.backends.sqlite3" in evidence.source.strings
    unknown += ["an SQLite database"] if sqlite else []
    if unknown and not kept:
        result.do_by_hand(
            "writes",
            f"The root file system is read-only: if {' and '.join(unknown)} is used, add its folder to data_dirs.",
        )
    return result


def _moved(evidence: Evidence, place: str) -> str:
    """Return where a folder of the old image is in the new one."""
    place = place.rstrip("/") or "/"
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    if workdir and (place == workdir or place.startswith(f"{workdir}/")):
        return f"/app{place.removeprefix(workdir)}"
    return place
