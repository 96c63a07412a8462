"""`/api/health`: what is wrong with the device, and what to do."""

from fastapi import APIRouter

from edge_agent.dashboard.behind import Behind


def router(behind: Behind) -> APIRouter:
    """The routes of this view."""
    del behind
    return APIRouter(tags=["health"])
