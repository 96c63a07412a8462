"""`/api/live`: each camera's picture, its slots and what they hold."""

from fastapi import APIRouter

from edge_agent.dashboard.behind import Behind


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    del behind
    return APIRouter(tags=["live"])
