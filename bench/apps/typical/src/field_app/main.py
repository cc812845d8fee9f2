"""An app of ordinary weight: what it imports is what many services import."""

import httpx
import psycopg2
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Settings(BaseSettings):
    database_url: str = "postgresql+psycopg2://app@localhost/app"


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class ItemOut(BaseModel):
    id: int
    name: str


settings = Settings()
engine = create_engine(settings.database_url)
client = httpx.AsyncClient()
app = FastAPI()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok", "libpq": str(psycopg2.__libpq_version__)}


@app.get("/items")
async def items() -> list[ItemOut]:
    return [ItemOut(id=1, name="one")]
