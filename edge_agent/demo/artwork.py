"""The labels of the drinks and the dairy: one function a product, each returning the front of its package."""

from math import cos, radians, sin

from edge_agent.demo.brush import SCRIPT, SERIF, Label

CAN_WH = (420, 460)
"""Half the circumference of a drinks can, in pixels."""
BOTTLE_WH = (300, 640)
"""Half the circumference of a bottle over its whole height."""
CARTON_WH = (330, 520)
"""The front of a carton, without its gable."""


def _can(ground: str) -> Label:
    return Label(CAN_WH, ground)


def _metal(label: Label) -> Label:
    """The bare rims of a can, above and below its print."""
    label.band(-0.1, 0.075, "#c9cdd2")
    label.band(0.075, 0.085, "#8d949c")
    label.band(0.955, 1.1, "#b4b9bf")
    return label


def cola(band: str, ground: str, ink: str, kind: str) -> Label:
    """A cola can: a ribbon of `band` across `ground`, and the `kind` below."""
    label = _can(ground)
    label.polygon([(-0.1, 0.66), (1.1, 0.50), (1.1, 0.60), (-0.1, 0.79)], band)
    label.polygon([(-0.1, 0.80), (1.1, 0.615), (1.1, 0.63), (-0.1, 0.825)], band)
    label.disc((0.5, 0.33), 0.30, band, flat=0.62)
    label.disc((0.5, 0.33), 0.275, ground, flat=0.60)
    label.words("Koko", (0.5, 0.325), ink, width=0.42, font=SCRIPT, heavy=2.4)
    label.words(kind, (0.5, 0.665), ground, width=0.22, heavy=2.2)
    for x, y, size in ((0.18, 0.88, 0.022), (0.30, 0.91, 0.015), (0.74, 0.80, 0.026), (0.84, 0.87, 0.016)):
        label.disc((x, y), size, band)
    return _metal(label)


def orange_soda() -> Label:
    """An orange soda: a slice of orange on an orange ground."""
    label = _can("#ff8a12")
    label.fade(0.5, 1.0, "#f05a00")
    label.disc((0.5, 0.60), 0.27, "#ffb53d")
    label.disc((0.5, 0.60), 0.245, "#fff3d6")
    for turn in range(8):
        label.disc(_around((0.5, 0.60), 0.135, turn * 45 + 22), 0.092, "#ff9a1f", flat=0.72, turn_deg=turn * 45 + 22)
    label.polygon([(0.50, 0.36), (0.62, 0.27), (0.74, 0.29), (0.64, 0.37)], "#2f9e44")
    label.words("ORANGINO", (0.5, 0.205), "#ffffff", width=0.62, heavy=2.4)
    return _metal(label)


def _around(centre: tuple[float, float], radius: float, angle_deg: float) -> tuple[float, float]:
    """A point of a circle on a can's label."""
    turn = radians(angle_deg)
    return centre[0] + radius * cos(turn), centre[1] + radius * sin(turn) * CAN_WH[0] / CAN_WH[1]


def water(band: str, cap: str, kind: str) -> Label:
    """A water bottle with mountains on its label; `band` and `cap` tell still from sparkling."""
    label = Label(BOTTLE_WH, "#b9dff0")
    label.fade(0.25, 1.0, "#8fc8e4")
    for y in (0.80, 0.85, 0.90):
        label.band(y, y + 0.008, "#d8f1fb")
        label.band(y + 0.008, y + 0.014, "#6fb2d3")
    label.band(-0.1, 0.085, cap)
    for x in range(12):
        label.polygon([(x / 12, 0.0), (x / 12 + 0.02, 0.0), (x / 12 + 0.02, 0.085), (x / 12, 0.085)], "#f4f8fa")
    label.band(0.085, 0.10, "#e8f4f9")
    label.band(0.40, 0.745, "#f7fbfd")
    label.polygon(
        [(-0.1, 0.66), (0.14, 0.53), (0.30, 0.61), (0.52, 0.45), (0.78, 0.62), (0.9, 0.55), (1.1, 0.66)], band
    )
    label.polygon([(0.52, 0.45), (0.44, 0.51), (0.50, 0.50), (0.54, 0.52), (0.60, 0.505)], "#ffffff")
    label.band(0.645, 0.745, band)
    label.words("ALPINA", (0.5, 0.435), band, width=0.46, heavy=2.0)
    label.words(kind, (0.5, 0.695), "#ffffff", width=0.50, heavy=2.0)
    return label


def lemon_tea() -> Label:
    """A bottle of iced tea: amber, with half a lemon on the label."""
    label = Label(BOTTLE_WH, "#c9741a")
    label.fade(0.2, 1.0, "#9c4d0c")
    label.band(-0.1, 0.085, "#2b7a3d")
    label.band(0.085, 0.10, "#d99245")
    label.band(0.38, 0.76, "#fdf1c2")
    label.band(0.38, 0.40, "#2b7a3d")
    label.band(0.74, 0.76, "#2b7a3d")
    label.disc((0.5, 0.63), 0.23, "#f4c20d")
    label.disc((0.5, 0.63), 0.195, "#fff6bf")
    for turn in (0, 60, 120):
        label.disc((0.5, 0.63), 0.175, "#f8d94a", flat=0.20, turn_deg=turn)
    label.polygon([(0.56, 0.53), (0.70, 0.485), (0.84, 0.51), (0.70, 0.545)], "#3aa655")
    label.words("Sunny", (0.5, 0.445), "#2b7a3d", width=0.46, font=SCRIPT, heavy=2.2)
    label.words("LEMON TEA", (0.5, 0.50), "#8a4b10", width=0.42, heavy=1.8)
    return label


def milk(colour: str, kind: str, percent: str) -> Label:
    """A milk carton: a meadow, a cow's spots and a broad band of `colour`."""
    label = Label(CARTON_WH, "#fbfbf7")
    for centre, radius, flat, turn in (
        ((0.10, 0.08), 0.17, 0.7, 20.0), ((0.90, 0.20), 0.15, 0.8, 70.0), ((0.80, 0.01), 0.12, 0.6, 0.0),
        ((0.04, 0.47), 0.11, 0.9, 40.0),
    ):  # fmt: skip
        label.disc(centre, radius, "#2d2f36", flat=flat, turn_deg=turn)
    label.words("MILK", (0.5, 0.22), colour, width=0.62, heavy=2.6)
    label.words("from the farm", (0.5, 0.325), "#51565e", width=0.50, heavy=1.6)
    label.band(0.40, 0.63, colour)
    label.words(kind, (0.5, 0.475), "#ffffff", width=0.122 * len(kind), heavy=2.4)
    label.words(percent, (0.5, 0.575), "#ffffff", width=0.34, heavy=2.0)
    label.wave(0.80, "#8fce5a", height=0.025, waves=1.0)
    label.wave(0.86, "#5fae3a", height=0.022, waves=1.3, phase=0.3)
    label.disc((0.76, 0.72), 0.085, "#ffd23f")
    return label


def orange_juice() -> Label:
    """A juice carton: two oranges and a straw on green."""
    label = Label(CARTON_WH, "#1f8f4e")
    label.fade(0.35, 1.0, "#0f6a3a")
    label.words("FRESH", (0.5, 0.10), "#d9f5a8", width=0.44, heavy=2.0)
    label.words("ORANGE", (0.5, 0.215), "#ffffff", width=0.80, heavy=2.6)
    label.words("juice", (0.5, 0.335), "#ffd23f", width=0.46, font=SCRIPT, heavy=2.4)
    label.line([(0.60, 0.58), (0.80, 0.40), (0.90, 0.40)], "#ffffff", 0.035)
    label.ball((0.63, 0.70), 0.27, "#ff8c1a")
    label.ball((0.30, 0.77), 0.22, "#ff9f2e")
    label.polygon([(0.42, 0.59), (0.26, 0.55), (0.14, 0.60), (0.30, 0.63)], "#8fd14f")
    label.band(0.935, 1.1, "#ffd23f")
    return label


def soup(colour: str, kind: str, things: str) -> Label:
    """A tin of soup: cream above, `colour` below, with a bowl full of `things` (a colour)."""
    label = Label((420, 400), "#fbf3e0")
    label.band(0.50, 1.1, colour)
    label.band(0.485, 0.515, "#d4a93a")
    label.disc((0.5, 0.50), 0.215, "#d4a93a")
    label.disc((0.5, 0.50), 0.20, "#fffaf0")
    label.disc((0.5, 0.48), 0.155, colour, flat=0.55)
    for x, y in ((0.42, 0.47), (0.50, 0.445), (0.58, 0.475), (0.47, 0.51), (0.545, 0.515)):
        label.ball((x, y), 0.034, things, flat=0.8)
    label.words("Nonna", (0.5, 0.20), "#7a1f1f", width=0.44, font=SCRIPT, heavy=2.4)
    label.words(kind, (0.5, 0.775), "#ffffff", width=0.076 * len(kind), heavy=2.4)
    label.words("SOUP", (0.5, 0.892), "#f6e3b0", width=0.20, heavy=2.0)
    label.band(-0.1, 0.07, "#c3c7cc")
    label.band(0.07, 0.085, "#888f97")
    label.band(0.945, 0.955, "#888f97")
    label.band(0.955, 1.1, "#b9bec4")
    return label


def jam(fruit: str, glass: str, kind: str, lid: str) -> Label:
    """A jar of jam: the colour of `glass` shows above and below a paper label with the fruit."""
    label = Label((380, 460), glass)
    label.band(-0.1, 0.20, lid)
    for x in range(16):
        for y in range(3):
            if (x + y) % 2 == 0:
                edge = (x / 16, y * 0.05 + 0.02)
                right, low = edge[0] + 1 / 16, edge[1] + 0.05
                label.polygon([edge, (right, edge[1]), (right, low), (edge[0], low)], "#f7efe6")
    label.band(0.20, 0.215, "#7d6a58")
    label.polygon([(0.16, 0.38), (0.84, 0.38), (0.84, 0.86), (0.16, 0.86)], "#c9a66b")
    label.polygon([(0.175, 0.393), (0.825, 0.393), (0.825, 0.847), (0.175, 0.847)], "#fff8ea")
    label.words(kind, (0.5, 0.465), "#5a2a1a", width=0.56, font=SERIF, heavy=1.8)
    label.ball((0.40, 0.67), 0.115, fruit, flat=1.1)
    label.ball((0.60, 0.68), 0.115, fruit, flat=1.1)
    label.polygon([(0.50, 0.56), (0.62, 0.53), (0.72, 0.56), (0.60, 0.59)], "#4d9a3c")
    label.polygon([(0.49, 0.56), (0.38, 0.53), (0.28, 0.56), (0.40, 0.59)], "#5fae4a")
    label.words("preserve", (0.5, 0.815), "#8a6a4a", width=0.30, heavy=1.6)
    return label
