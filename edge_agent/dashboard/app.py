"""The routes of the page and of the API: each view has a module of its own, which reads as the page does."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from edge_agent.dashboard import alerts, health, history, live, review, shelves
from edge_agent.dashboard.answers import answer_errors
from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.pictures import Pictures

STATIC = Path(__file__).parent / "static"


def app_of(behind: Behind) -> FastAPI:
    """The whole application."""
    app = FastAPI(title="shelf-agent", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    answer_errors(app)
    app.state.pictures = pictures = Pictures(behind.running)
    app.include_router(live.router(behind, pictures), prefix="/api")
    for view in (shelves, history, alerts, review, health):
        app.include_router(view.router(behind), prefix="/api")
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="static")
    return app
