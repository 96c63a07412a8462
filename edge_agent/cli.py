"""`shelf-agent`: the command line of the device. Exit statuses are those of the error tree in `edge_agent.shelf`."""

import contextlib
import json
import logging
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.exits import reported
from edge_agent.shelf import BrokerError, ConfigError, InputError, nearest
from edge_agent.terminal import err, out, progress, refuse_to_replace, shown, text_file

if TYPE_CHECKING:  # it loads OpenCV, and nobody should wait for that to read the help
    from edge_agent.config import CameraSection, Settings

app = typer.Typer(
    help="Counts what stands on a shelf, from a camera, and publishes it over MQTT.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="SHELFWATCH_CONFIG", readable=False)
]
PAGE_PORT = 8089
CameraOption = Annotated[str | None, typer.Option("--camera", help="Which camera; needed where there are several.")]


def main() -> None:
    """Run a command; errors of ours become one message and their exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    with reported("shelf-agent"):
        app()


@app.command()
def run(
    config: ConfigOption = Path("agent.toml"),
    *,
    dashboard: Annotated[
        bool | None, typer.Option("--dashboard/--no-dashboard", help="Serve the page, whatever [dashboard] says.")
    ] = None,
) -> None:
    """Count until told to stop (SIGINT, SIGTERM); SIGHUP makes it read the configuration again."""
    from edge_agent.agent import Agent  # noqa: PLC0415
    from edge_agent.model import labels_of  # noqa: PLC0415
    from edge_agent.planogram.file import mend  # noqa: PLC0415

    asked = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: asked.set())  # at once: while it starts, it would be the end
    mend(config)

    def overrule(settings: "Settings") -> "Settings":
        if dashboard is None:
            return settings
        section = settings.dashboard.model_copy(update={"enabled": dashboard})
        return settings.model_copy(update={"dashboard": section})

    settings = overrule(load(config, labels=labels_of(config)))
    with Agent(settings, path=config, reload_asked=asked) as agent:
        agent.reloading.overrule = overrule
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: agent.stop.set())
        agent.run()


@app.command()
def check(
    config: ConfigOption = Path("agent.toml"),
    *,
    cameras: Annotated[bool, typer.Option(help="Open the cameras.")] = True,
    broker: Annotated[bool, typer.Option(help="Connect to the broker.")] = True,
) -> None:
    """Look at configuration, model, outbox, cameras and broker, and say what to do about each problem."""
    from edge_agent.doctor.check import check as look  # noqa: PLC0415
    from edge_agent.doctor.finding import exit_status  # noqa: PLC0415

    raise typer.Exit(exit_status(shown(look(config, cameras=cameras, broker=broker))))


@app.command()
def doctor(
    config: ConfigOption = Path("agent.toml"),
    *,
    cameras: Annotated[bool, typer.Option(help="Open the cameras.")] = True,
    broker: Annotated[bool, typer.Option(help="Connect to the broker.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 where there are warnings only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Look at everything that `check` does and at the machine: clock, memory, heat, disk, permissions, network.

    It changes nothing, and may be run while the agent runs.
    """
    from edge_agent.doctor.doctor import examine  # noqa: PLC0415
    from edge_agent.doctor.finding import exit_status  # noqa: PLC0415

    looked = examine(config, cameras=cameras, broker=broker)
    found = list(looked) if as_json else shown(looked)
    status = exit_status(found, strict=strict)
    if as_json:
        findings = [{"what": each.what, "level": each.level, "words": each.words} for each in found]
        out.print_json(json.dumps({"schema": "shelfwatch.doctor/1", "status": status, "findings": findings}))
    raise typer.Exit(status)


@app.command()
def password(
    file: Annotated[
        Path,
        typer.Argument(
            help="Where it goes: the password_file of \\[dashboard].", envvar="SHELFWATCH_PAGE_PASSWORD_FILE"
        ),
    ],
) -> None:
    """Ask for the page's password, twice, and store its hash in a file that only this user can read."""
    from edge_agent.dashboard.door import passwords  # noqa: PLC0415

    given = typer.prompt("Password for the page", hide_input=True, confirmation_prompt="Once more")
    passwords.write(file, given)
    out.print(f"{file} is written; the agent reads it when it starts.", highlight=False, markup=False, soft_wrap=True)


@app.command()
def replay(
    clip: Annotated[Path, typer.Argument(help="A video file.", readable=False)],
    config: ConfigOption = Path("agent.toml"),
    camera: CameraOption = None,
    *,
    lines: Annotated[Path, typer.Option("--out", help="Where counts and alerts go as JSON lines; - is here.")] = Path(
        "-"
    ),
    annotate: Annotated[Path | None, typer.Option(help="Also write a video with everything drawn in (.mp4).")] = None,
    publish: Annotated[bool, typer.Option(help="Also publish to the broker, as if live.")] = False,
) -> None:
    """Count every frame of a clip, faster than real time; time is the position in the clip."""
    from edge_agent.capture.clips import clip_info  # noqa: PLC0415
    from edge_agent.capture.clips import replay as frames_of  # noqa: PLC0415
    from edge_agent.model import labels_of, load_model  # noqa: PLC0415
    from edge_agent.outlet import Outlet  # noqa: PLC0415
    from edge_agent.replay import replay_frames, video  # noqa: PLC0415
    from edge_agent.running import watch_of  # noqa: PLC0415

    for output in (lines, annotate):
        refuse_to_replace(output, (clip, config))
    info = clip_info(clip)
    settings = load(config, labels=labels_of(config))
    model, chosen = load_model(settings), _camera(settings, camera)
    with contextlib.ExitStack() as stack:
        outlets = [stack.enter_context(Outlet(settings, model.info))] if publish else []
        paint = stack.enter_context(video(annotate, fps=info.fps)) if annotate is not None else None
        target = stack.enter_context(text_file(lines))
        bar = stack.enter_context(progress())
        tally = replay_frames(
            watch_of(settings, chosen.id),
            bar.track(frames_of(chosen.id, clip), total=info.frames or None, description="replaying"),
            model.classifier,
            sinks=[outlet.delivery for outlet in outlets],
            lines=target,
            paint=paint,
        )
    err.print(f"{tally.frames} frames, {tally.changes} changes, {tally.alerts} alerts", highlight=False)
    for outlet in outlets:
        if outlet.mqtt.fatal is not None:
            raise outlet.mqtt.fatal
        if outlet.waiting or not outlet.mqtt.tally.acknowledged:
            left = f"{outlet.waiting} events wait in {settings.outbox.path} for the next run"
            raise BrokerError(
                f"the broker {settings.broker.host}:{settings.broker.port} did not take"
                f" {f'everything: {left}' if outlet.waiting else 'the states'}. Check the broker, then run again."
            )


@app.command()
def snapshot(
    config: ConfigOption = Path("agent.toml"),
    camera: CameraOption = None,
    *,
    picture: Annotated[Path, typer.Option("--out", help="The PNG to write.")] = Path("snapshot.png"),
) -> None:
    """Take one picture and draw the slots in, to aim the camera and check the slots."""
    import cv2  # noqa: PLC0415

    from edge_agent.annotate import draw_slots  # noqa: PLC0415
    from edge_agent.capture.source import open_source  # noqa: PLC0415
    from edge_agent.collect import first_frame  # noqa: PLC0415

    if picture.suffix.lower() != ".png":
        raise InputError(f"{picture} is not the name of a PNG. Give a path that ends in .png.")
    settings = load(config)
    chosen = _camera(settings, camera)
    source = open_source(chosen.id, chosen.source, period_s=1 / chosen.fps, key_frames=chosen.key_frames)
    try:
        frame = first_frame(source, chosen.id)
    finally:
        source.close()
    encoded, png = cv2.imencode(".png", draw_slots(frame.image, settings.shelves_of(chosen.id)))
    try:
        picture.write_bytes(png.tobytes() if encoded else b"")
    except OSError as error:
        raise InputError(f"the picture cannot be written to {picture} ({error}). Give a path of yours.") from error
    out.print(f"{picture}: {frame.image.shape[1]} × {frame.image.shape[0]}", highlight=False, markup=False)


@app.command()
def collect(
    folder: Annotated[Path, typer.Argument(help="Where the crops go, a folder per label.")],
    config: ConfigOption = Path("agent.toml"),
    camera: CameraOption = None,
    *,
    label: Annotated[str | None, typer.Option(help="What stands in every slot now, such as `empty`.")] = None,
    every_s: Annotated[float, typer.Option(min=0, help="Seconds between pictures.")] = 5.0,
    pictures: Annotated[int, typer.Option(min=1, help="How many pictures to take.")] = 12,
) -> None:
    """Store the crop of every slot for labelling: sorted by the model's guess where there is a model."""
    from edge_agent.capture.source import open_source  # noqa: PLC0415
    from edge_agent.collect import check_label, first_frame, store_crops  # noqa: PLC0415
    from edge_agent.model import load_model  # noqa: PLC0415

    if label is not None:
        check_label(label)
    settings = load(config)
    chosen = _camera(settings, camera)
    classifier = load_model(settings).classifier if label is None and settings.model.bundle.exists() else None
    source = open_source(chosen.id, chosen.source, period_s=1 / chosen.fps, key_frames=chosen.key_frames)
    written: Counter[str] = Counter()
    taken = 0
    try:
        with progress() as bar, contextlib.suppress(KeyboardInterrupt):
            for _ in bar.track(range(pictures), description="collecting"):
                try:
                    frame = first_frame(source, chosen.id)
                except EOFError:
                    break
                began_s = time.monotonic()
                shelves = settings.shelves_of(chosen.id)
                written.update(store_crops(frame, shelves, folder, label=label, classifier=classifier))
                taken += 1
                time.sleep(max(0.0, every_s - (time.monotonic() - began_s)) if taken < pictures else 0)
    finally:
        source.close()
    ended = f" of {pictures}: it ended early" if taken < pictures else ""
    shares = ", ".join(f"{name} {count}" for name, count in written.most_common())
    out.print(
        f"{written.total()} crops from {taken} pictures{ended}, in {folder}: {shares}", highlight=False, markup=False
    )


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so many seconds; else with Ctrl-C.")] = None,
    seed: Annotated[int, typer.Option(help="Which shelf and which shoppers.")] = 7,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the embedded broker; 0 takes a free one.")
    ] = 1883,
    *,
    dashboard: Annotated[
        bool, typer.Option("--dashboard/--no-dashboard", help="Serve the device's page too, on this machine only.")
    ] = True,
) -> None:
    """Show the whole chain at work: a simulated shelf camera, the bundled model, an embedded MQTT broker."""
    from edge_agent.demo.show import show  # noqa: PLC0415

    show(seconds=seconds, seed=seed, port=port, page=PAGE_PORT if dashboard else None, console=out)


def load(path: Path, *, labels: Sequence[str] | None = None) -> "Settings":
    """Read the configuration; see `edge_agent.config.load`."""
    from edge_agent.config import load as load_late  # noqa: PLC0415

    return load_late(path, labels=labels)


def _camera(settings: "Settings", wanted: str | None) -> "CameraSection":
    """The camera that a command is about."""
    by_id = {camera.id: camera for camera in settings.cameras}
    if wanted is None and len(by_id) == 1:
        return settings.cameras[0]
    if wanted is None:
        raise ConfigError(f"the configuration has {len(by_id)} cameras: name one with --camera ({', '.join(by_id)}).")
    if wanted not in by_id:
        raise ConfigError(f'there is no camera "{wanted}"; {nearest(wanted, by_id)}.')
    return by_id[wanted]


if __name__ == "__main__":
    main()
