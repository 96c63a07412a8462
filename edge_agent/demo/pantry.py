"""The labels of what comes dry: cereals, pasta and coffee."""

import numpy as np

from edge_agent.demo.brush import SCRIPT, SERIF, Label

BOX_WH = (360, 520)
"""The front of a box or a bag, in pixels."""


def cereal(ground: str, flake: str, kind: str, name: str) -> Label:
    """A box of cereals: a bowl of flakes in the colour `flake`, with a splash of milk."""
    label = Label(BOX_WH, ground)
    for turn in np.linspace(0, 2 * np.pi, 14, endpoint=False):
        spread = [(0.5 + 1.2 * np.cos(turn + off), 0.55 + 1.2 * np.sin(turn + off)) for off in (-0.11, 0.11)]
        label.polygon([(0.5, 0.55), *spread], _lighter(ground))
    label.words(name, (0.5, 0.13), "#ffffff", width=0.82, heavy=3.0)
    label.words(kind, (0.5, 0.275), "#fff4c9", width=0.74, font=SCRIPT, heavy=2.6)
    label.disc((0.5, 0.655), 0.37, "#ffffff", flat=0.50)
    label.polygon([(0.13, 0.655), (0.87, 0.655), (0.76, 0.86), (0.64, 0.90), (0.36, 0.90), (0.24, 0.86)], "#f4f6fb")
    label.polygon([(0.15, 0.735), (0.85, 0.735), (0.83, 0.775), (0.17, 0.775)], "#3f73c9")
    label.disc((0.5, 0.645), 0.33, "#fdf8ec", flat=0.42)
    places = np.random.default_rng(7)
    for _ in range(34):
        angle, far = places.uniform(0, 2 * np.pi), 0.29 * np.sqrt(places.uniform())
        spot = (0.5 + far * np.cos(angle), 0.63 + 0.30 * far * np.sin(angle) - 0.02)
        label.ball(spot, float(places.uniform(0.035, 0.055)), flake, flat=float(places.uniform(0.5, 0.9)))
    label.disc((0.82, 0.43), 0.12, "#d62839")
    label.words("NEW", (0.82, 0.43), "#ffffff", width=0.15, heavy=2.6)
    label.words("500 g", (0.16, 0.955), "#ffffff", width=0.15, heavy=2.0)
    return label


def _lighter(code: str) -> str:
    """A web colour, a little brighter."""
    return "#" + "".join(f"{min(255, int(code[at : at + 2], 16) + 18):02x}" for at in (1, 3, 5))


def pasta(ground: str, *, twisted: bool) -> Label:
    """A box of pasta with a window: tubes, or twists."""
    label = Label(BOX_WH, ground)
    label.band(0.0, 0.045, "#d4a93a")
    label.words("Bella", (0.5, 0.125), "#ffffff", width=0.62, font=SCRIPT, heavy=2.6)
    label.words("FUSILLI" if twisted else "PENNE", (0.5, 0.265), "#ffe9a8", width=0.66, font=SERIF, heavy=2.2)
    label.disc((0.5, 0.64), 0.41, "#d4a93a", flat=1.05)
    label.disc((0.5, 0.64), 0.385, "#5a3a1a", flat=1.05)
    places = np.random.default_rng(11)
    for _ in range(46):
        angle, far = places.uniform(0, 2 * np.pi), 0.31 * np.sqrt(places.uniform())
        spot = (0.5 + far * np.cos(angle), 0.64 + 0.72 * far * np.sin(angle))
        turn = places.uniform(0, np.pi)
        (_twist if twisted else _tube)(label, spot, float(turn))
    label.words("500 g", (0.84, 0.955), "#ffffff", width=0.15, heavy=2.0)
    return label


def _tube(label: Label, spot: tuple[float, float], turn: float) -> None:
    step = 0.075 * np.cos(turn), 0.075 * np.sin(turn) * BOX_WH[0] / BOX_WH[1]
    ends = [(spot[0] - step[0], spot[1] - step[1]), (spot[0] + step[0], spot[1] + step[1])]
    label.line(ends, "#c98f2c", 0.058)
    label.line(ends, "#f0c35e", 0.044)
    label.line(ends, "#fbe29a", 0.014)
    label.disc(ends[1], 0.018, "#8a5a1a")


def _twist(label: Label, spot: tuple[float, float], turn: float) -> None:
    for part in range(5):
        far = (part - 2) * 0.034
        centre = (spot[0] + far * np.cos(turn), spot[1] + far * np.sin(turn) * BOX_WH[0] / BOX_WH[1])
        label.disc(centre, 0.036, "#b57f24", flat=0.55, turn_deg=float(np.rad2deg(turn)) + 60)
        label.disc(centre, 0.029, "#f3cd70", flat=0.5, turn_deg=float(np.rad2deg(turn)) + 60)


def coffee() -> Label:
    """A bag of coffee: dark, with beans and a gold band."""
    label = Label(BOX_WH, "#33201a")
    label.fade(0.55, 1.0, "#1f130f")
    label.band(0.115, 0.125, "#d9b25f")
    label.words("MORO", (0.5, 0.235), "#f3e3c3", width=0.66, font=SERIF, heavy=2.2)
    label.words("espresso", (0.5, 0.35), "#d9b25f", width=0.52, font=SCRIPT, heavy=2.2)
    label.band(0.425, 0.485, "#c2372e")
    label.words("DARK ROAST", (0.5, 0.455), "#ffffff", width=0.54, heavy=2.2)
    for x, y, turn in (
        (0.36, 0.66, 30.0),
        (0.62, 0.63, -40.0),
        (0.50, 0.80, 80.0),
        (0.24, 0.82, -20.0),
        (0.76, 0.80, 25.0),
    ):
        label.disc((x, y), 0.125, "#5e3620", flat=0.68, turn_deg=turn)
        label.disc((x - 0.01, y - 0.008), 0.105, "#8a5330", flat=0.64, turn_deg=turn)
        along = np.cos(np.deg2rad(turn)) * 0.10, np.sin(np.deg2rad(turn)) * 0.10 * BOX_WH[0] / BOX_WH[1]
        label.line([(x - along[0], y - along[1]), (x, y + 0.01), (x + along[0], y + along[1])], "#3a2014", 0.022)
    return label
