"""A real Home Assistant with its MQTT integration, to be asked over pipes, in a Python of its own (`python.py`).

Usage: house.py FOLDER PORT. A line of JSON in is a question, a line of JSON out its answer:

    {"do": "states"}                               every entity: its state, and the attributes that it shows
    {"do": "judge", "payload": {…}}                what the published schemas say of a device discovery; [] is all well
    {"do": "render", "template": …, "payload": …}  what a value template makes of a payload
"""

import asyncio
import json
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import probatio
from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.components.mqtt import binary_sensor, schemas, sensor
from homeassistant.components.mqtt.models import MqttValueTemplate
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component

PLATFORMS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}


def judge(payload: dict[str, Any]) -> list[str]:
    """What the schemas of Home Assistant say of a device discovery: a line for each fault."""
    faults = []
    try:
        found = schemas.DEVICE_DISCOVERY_SCHEMA(payload)
        getattr(schemas, "validate_device_discovery_components", lambda value: value)(found)
    except probatio.Invalid as error:
        return [f"device: {error}"]
    shared = {key: payload[key] for key in schemas.SHARED_OPTIONS if key in payload}
    for name, component in payload["components"].items():
        rest = {key: value for key, value in component.items() if key != "platform"}
        if not rest:
            continue  # one that goes
        whole = {"device": payload["device"], "origin": payload["origin"], **shared, **rest}
        try:
            taken = PLATFORMS[component["platform"]](whole)
            faults += [f"{name}: {key} is not known" for key in rest if key not in taken]
        except probatio.Invalid as error:
            faults.append(f"{name}: {error}")
    return faults


def states(hass: core.HomeAssistant) -> dict[str, Any]:
    """Every entity."""
    return {
        state.entity_id: {
            "state": state.state,
            "attributes": json.loads(json.dumps(dict(state.attributes), default=str)),
        }
        for state in hass.states.async_all()
    }


def answer(hass: core.HomeAssistant, question: dict[str, Any]) -> Any:
    """The answer to a question."""
    match question["do"]:
        case "states":
            return states(hass)
        case "judge":
            return judge(question["payload"])
        case "render":
            template = MqttValueTemplate(Template(question["template"], hass))
            return template.async_render_with_possible_json_value(question["payload"])
    raise ValueError(question)


async def start(folder: str, port: int) -> core.HomeAssistant:
    """Home Assistant with nothing but its MQTT integration."""
    (Path(folder) / "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    if not await bootstrap.async_load_base_functionality(hass):
        raise RuntimeError("Home Assistant does not begin")
    for domain in sorted(bootstrap.CORE_INTEGRATIONS):
        if not await async_setup_component(hass, domain, {}):
            raise RuntimeError(f"{domain} is not set up")
    hass.config.components |= {"http", "file_upload"}  # which mqtt asks for, to upload certificates: not here
    entry = config_entries.ConfigEntry(
        data={"broker": "127.0.0.1", "port": port, "protocol": "5"},
        discovery_keys=MappingProxyType({}),
        domain="mqtt",
        minor_version=1,
        options={"discovery": True},
        source="user",
        subentries_data=None,
        title="mqtt",
        unique_id=None,
        version=2,
    )
    await hass.config_entries.async_add(entry)
    if entry.state is not config_entries.ConfigEntryState.LOADED:
        raise RuntimeError(f"mqtt is {entry.state}: {entry.reason}")
    await hass.async_start()
    return hass


async def main() -> None:
    """Begin, and answer until nobody asks any more."""
    hass = await start(sys.argv[1], int(sys.argv[2]))
    print(json.dumps("up"), flush=True)
    while line := await hass.loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(answer(hass, json.loads(line))), flush=True)
    await hass.async_stop(force=True)


asyncio.run(main())
