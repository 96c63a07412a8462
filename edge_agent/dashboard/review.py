"""`/api/review`: crops that the model was not sure of, to be labelled."""

from fastapi import APIRouter

from edge_agent.dashboard.behind import Behind


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    del behind
    return APIRouter(tags=["review"])
