"""The routes of the page and of the API: each view has a module of its own, which reads as the page does."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from edge_agent.dashboard import metrics
from edge_agent.dashboard.answers import UNFIT, answer_errors
from edge_agent.dashboard.behind import Behind
from edge_agent.dashboard.door import signing
from edge_agent.dashboard.door.access import Access
from edge_agent.dashboard.door.guard import METRICS, OPEN_API, SAFE, Guard
from edge_agent.dashboard.pictures import Pictures
from edge_agent.dashboard.views import alerts, health, history, live, review, shelves

STATIC = Path(__file__).parent / "static"


def app_of(behind: Behind, access: Access) -> FastAPI:
    """The whole application, guarded by the rules of `access`."""
    app = FastAPI(title="shelf-agent", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, responses=UNFIT)
    answer_errors(app)
    app.add_middleware(Guard, access=access)
    app.state.pictures = pictures = Pictures(behind.running)
    app.include_router(live.router(behind, pictures), prefix="/api")
    for view in (shelves, history, alerts, review, health, signing):
        app.include_router(view.router(behind), prefix="/api")
    app.include_router(metrics.router(behind))
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="static")
    describe = app.openapi
    app.openapi = lambda: _secured(describe(), access)  # type: ignore[method-assign]
    return app


def _secured(description: dict[str, Any], access: Access) -> dict[str, Any]:
    """An OpenAPI description that says who may do what."""
    schemes = {**signing.SCHEMES, "session": {**signing.SCHEMES["session"], "name": access.cookie}}
    description.setdefault("components", {})["securitySchemes"] = schemes
    for path, methods in description.get("paths", {}).items():
        for method, operation in methods.items():
            needed: dict[str, list[str]] = {"session": []} if access.password is not None else {}
            if method.upper() not in SAFE:
                needed = {"session": [], "token": []}
            if path == OPEN_API and method != "delete":
                needed = {}
            if path == METRICS and access.password is not None:
                needed = {"password": []}
            operation["security"] = [needed] if needed else []
    return description
