"""`/api/shelves`: where the slots lie and what stands in them, to be drawn and saved."""

from fastapi import APIRouter

from edge_agent.dashboard.behind import Behind


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    del behind
    return APIRouter(tags=["shelves"])
