"""What the broker sends us is checked before anybody acts on it."""

import json

import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.messages import Topics
from edge_agent.mqtt.inbox import LARGEST_PAYLOAD_BYTES, WAITING, Inbox

TOPICS = Topics("s", "d")


class Desk:
    """An inbox, and what it answered and passed on."""

    def __init__(self):
        self.answers, self.marks = [], []
        self.inbox = Inbox(
            TOPICS,
            answer=lambda command, payload: self.answers.append((command, payload)),
            confirmed=lambda *mark: self.marks.append(mark),
        )

    def get(self, topic, payload=b"", *, retain=False, response=None, correlation=None):
        """A message comes."""
        message = MQTTMessage(topic=topic.encode())
        message.payload, message.retain, message.qos = payload, retain, 1
        message.properties = Properties(PacketTypes.PUBLISH)
        if response is not None:
            message.properties.ResponseTopic = response
        if correlation is not None:
            message.properties.CorrelationData = correlation
        self.inbox.take(message)

    @property
    def commands(self):
        """The commands that are to be run, which are taken."""
        return [self.inbox.commands.get() for _ in range(self.inbox.commands.qsize())]


@pytest.fixture
def desk():
    """A desk with nothing on it."""
    return Desk()


def command(verb):
    """The topic of a command."""
    return f"{TOPICS.root}/cmd/{verb}"


def test_a_command_is_passed_on_with_where_to_answer(desk):
    """Verb, payload, response topic and correlation data reach whoever runs it."""
    desk.get(command("snapshot"), b'{"camera": "c1"}', response="replies/7", correlation=b"\x01")
    desk.get(command("recount"))
    first, second = desk.commands
    assert (first.verb, first.payload, first.response_topic) == ("snapshot", {"camera": "c1"}, "replies/7")
    assert first.correlation == b"\x01"
    assert (second.verb, second.payload, second.response_topic) == ("recount", {}, None)


def test_a_retained_command_is_not_run(desk):
    """It would be run again at every start."""
    desk.get(command("reload"), b"{}", retain=True)
    assert desk.commands == []


@pytest.mark.parametrize("retain", [False, True])
def test_a_command_cannot_write_a_line_of_its_own_into_the_log(desk, caplog, retain):
    """A topic may hold a line feed; it is shown as such."""
    desk.get(command("x\nERROR the shelf is empty"), b"{", retain=retain)
    assert "x\\nERROR" in caplog.text
    assert "\nERROR" not in caplog.text.replace("\\n", "")


def test_our_own_answers_are_no_commands(desk):
    """On MQTT 3.1.1 they come back to us."""
    desk.get(TOPICS.command_result, b'{"ok": true}')
    assert desk.commands == []
    assert desk.answers == []


@pytest.mark.parametrize("by_id", [True, False])
def test_a_command_that_comes_twice_is_run_once_and_answered_twice(desk, by_id):
    """QoS 1 may repeat: the second time the first answer is given again."""
    more = {"payload": b'{"id": "x"}'} if by_id else {"correlation": b"x"}
    desk.get(command("recount"), **more)
    (first,) = desk.commands
    desk.get(command("recount"), **more)
    assert desk.answers == []  # it is still being run
    desk.inbox.answered(first, {"ok": True})
    desk.get(command("recount"), **more)
    assert desk.commands == []
    assert [payload for _, payload in desk.answers] == [{"ok": True}]
    desk.get(command("reload"), **more)
    assert len(desk.commands) == 1


@pytest.mark.parametrize(
    "topic",
    [
        "shelfwatch/s/d/shelf/a/state",
        "shelfwatch/s/d/status",
        "shelfwatch/other/device/cmd/reload",
        "Shelfwatch/s",
        "homeassistant/device/x/config",
        "$SYS/x",
        "a/#",
        "a/+/b",
        "x" * 600,
        "a\x01b",
    ],
)
def test_an_answer_cannot_be_steered_into_somebodys_state(desk, topic):
    """A response topic where it would pass for a message of ours or another's is refused, and nothing is run."""
    desk.get(command("recount"), response=topic, correlation=b"1")
    assert desk.commands == []
    ((refused, payload),) = desk.answers
    assert refused.response_topic is None
    assert payload["ok"] is False
    assert "response topic" in payload["message"]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "no JSON"),
        (b"[1]", "JSON object"),
        (b"\xff", "no JSON"),
        (b"[" * 9000, "no JSON"),
        (b'{"x": "' + b"y" * LARGEST_PAYLOAD_BYTES + b'"}', "is the most"),
    ],
)
def test_a_broken_payload_is_answered_and_not_run(desk, payload, why):
    """Whoever sent it learns what is wrong with it."""
    desk.get(command("recount"), payload)
    assert desk.commands == []
    assert why in desk.answers[0][1]["message"]


def test_commands_do_not_pile_up(desk):
    """Beyond a few the next ones are refused."""
    for _ in range(WAITING + 3):
        desk.get(command("recount"))
    assert len(desk.commands) == WAITING
    assert [payload["ok"] for _, payload in desk.answers] == [False] * 3


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"{", b'{"epoch": "e"}', b'{"epoch": "e", "seq": true}', b'{"epoch": "e", "seq": -1}', b"9"],
)
def test_what_is_no_watermark_moves_nothing(desk, payload):
    """A broken or cleared acknowledgement is ignored."""
    desk.get(TOPICS.ack, payload, retain=True)
    assert desk.marks == []


def test_a_watermark_is_passed_on_retained_or_not(desk):
    """It is retained so that a device that was away learns it."""
    desk.get(TOPICS.ack, json.dumps({"epoch": "e", "seq": 7}).encode(), retain=True)
    assert desk.marks == [("e", 7)]


def test_a_topic_that_is_not_utf_8_is_ignored(desk):
    """Reading it raises in the library; nothing is raised here."""
    desk.inbox.take(MQTTMessage(topic=b"\xff"))
    assert desk.commands == []
