"""Pictures through shared memory: the newest, whole, and from nobody who is trusted."""

import fcntl
import json
import math
import os
import socket
import threading

import numpy as np
import pytest

from edge_agent.capture import handover
from edge_agent.capture.handover import Offer, Order, Receiver, Sender


@pytest.fixture
def ends():
    """The process's end and the agent's, and the agent's socket."""
    ours, theirs = handover.pair()
    with ours, theirs:
        yield Sender(theirs), Receiver(ours), theirs


def grey(level, shape=(40, 60, 3)):
    """A picture of one grey."""
    return np.full(shape, level, np.uint8)


def newest(receiver):
    """The last offer that has come."""
    return [offer for offer in receiver.messages() if isinstance(offer, Offer)][-1]


def test_the_newest_picture_comes_with_its_time_and_may_change_its_size(ends):
    """Memory grows as needed; what was offered before stays readable."""
    sender, receiver, _ = ends
    sender.show(grey(1), 12.5)
    small = newest(receiver)
    sender.show(grey(2, (80, 90, 3)), 13.0)
    large = newest(receiver)
    assert (small.taken_s, large.taken_s) == (12.5, 13.0)
    assert np.array_equal(large.copy(), grey(2, (80, 90, 3)))
    assert np.array_equal(small.copy(), grey(1))


def test_no_picture_is_ever_torn(ends):
    """A writer as fast as it can be and a reader that accepts a copy only while no newer one is offered: all whole."""
    sender, receiver, _ = ends
    shape, stop = (300, 400, 3), threading.Event()

    def write():
        level = 0
        while not stop.is_set():
            level = (level + 1) % 250
            sender.show(grey(level, shape), float(level))

    thread = threading.Thread(target=write)
    thread.start()
    whole = 0
    while whole < 50:
        offers = [offer for offer in receiver.messages() if isinstance(offer, Offer)]
        if not offers:
            continue
        image = offers[-1].copy()
        if not [offer for offer in receiver.messages() if isinstance(offer, Offer)]:
            assert image.min() == image.max() == offers[-1].taken_s
            whole += 1
    stop.set()
    thread.join()


def test_a_writer_never_waits_for_a_reader_that_sleeps(ends):
    """Thousands of pictures that nobody fetches are dropped."""
    sender, receiver, _ = ends
    for n in range(5000):
        sender.show(grey(n % 250), float(n))
    assert newest(receiver).copy().min() >= 0


def test_an_order_arrives_as_it_was_given():
    """Password and all."""
    ours, theirs = handover.pair()
    with ours, theirs:
        order = Order("rtsp://u:p@cam/x", 0.2, 5.0, key_frames=True)
        order.write(ours)
        assert Order.read(theirs) == order


def picture(**other):
    """A message of a picture, of which something is other than it should be."""
    return json.dumps({"is": "picture", "seq": 1, "taken_s": 1, "height_width": [4, 4], **other}).encode()


@pytest.mark.parametrize(
    "said",
    [
        b"no json",
        b"[" * 50000,
        b"[]",
        picture(height_width=[99, 99]),
        picture(height_width=[-1, 10**9]),
        picture(height_width=[math.inf, 4]),
        picture(seq=math.inf),
        picture(seq=math.nan),
        picture(taken_s=math.nan),
        picture(taken_s=-math.inf),
    ],
)
def test_what_makes_no_sense_ends_the_process(ends, said):
    """A process that was taken over by what a camera sent can do no more than that."""
    sender, receiver, theirs = ends
    sender.show(grey(1), 1.0)
    list(receiver.messages())
    theirs.send(said)
    with pytest.raises(EOFError):
        list(receiver.messages())


def test_a_picture_was_never_taken_before_the_clock_began(ends):
    """How old a picture is can be said for each, however long ago its process says that it was taken."""
    sender, receiver, theirs = ends
    sender.show(grey(1), 1.0)
    list(receiver.messages())
    theirs.send(picture(taken_s=-1e300))
    assert newest(receiver).taken_s == 0


@pytest.mark.parametrize("slot_bytes", [10**12, 10**30, -1])
def test_memory_larger_than_any_picture_is_refused(ends, slot_bytes):
    """A copy of it would take all there is."""
    _, receiver, theirs = ends
    handle = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.ftruncate(handle, 2 * 10**12)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    socket.send_fds(theirs, [json.dumps({"is": "memory", "slot_bytes": slot_bytes}).encode()], [handle])
    os.close(handle)
    with pytest.raises(EOFError):
        list(receiver.messages())


def test_memory_that_can_shrink_is_refused(ends):
    """Reading behind its end would be the end of the agent."""
    _, receiver, theirs = ends
    handle = os.memfd_create("x")
    os.ftruncate(handle, 100)
    socket.send_fds(theirs, [b'{"is": "memory", "slot_bytes": 50}'], [handle])
    os.close(handle)
    with pytest.raises(EOFError):
        list(receiver.messages())
