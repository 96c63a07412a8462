"""`/api/alerts`: what a person should see to, and what became of it."""

from fastapi import APIRouter

from edge_agent.dashboard.behind import Behind


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    del behind
    return APIRouter(tags=["alerts"])
