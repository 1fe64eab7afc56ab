"""Starts one process for each device of a run, listens to them, and ends them all together. Knows no method and no training.

Fabric gives each process its device, precision and process group. Its own launcher returns only when all is over; here whoever asked is told of
progress in their own thread and may end everything by raising, the first error ends all, and no process outlives the one that started it.

Fabric's strategy is DDP without DDP's wrapper, which expects one backward pass through a whole network at each step: here some parts of a network are
updated by one loss and some by another. `MethodTrainer.update` shares the gradients.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn
from torch._C._distributed_c10d import FileStore

from engine.errors import DeviceExhausted, NormascopeError, TrainingFailed
from trainers.plan import Precision

Say = Callable[[Any], None]
Work = Callable[[Fabric, Say], None]
SILENCE = timedelta(minutes=20)
"""After which a device that answers no other ends the run: longer than any step, checkpoint or judgement of held-out images takes."""
GRACE = 3.0
"""Seconds: for a process to end by itself, and to find out which of two came first, a death or the complaint of another about it."""


@dataclass(frozen=True)
class Devices:
    """What a run computes on: `count` devices of one kind, "cpu" or "cuda"."""

    kind: str
    count: int
    precision: Precision = "32-true"


def check_devices(device: torch.device, count: int) -> None:
    """Raises DeviceExhausted or NormascopeError unless there are so many devices, all alike."""
    if count < 1:
        raise NormascopeError(f"training needs a device, not {count} of them", cure="Give --devices 1 or more.")
    if count == 1:
        return
    if not distributed.is_available():
        raise NormascopeError(
            "this installation of PyTorch cannot train on several devices", cure="Leave out --devices."
        )
    if device.type != "cuda":
        return
    there = torch.cuda.device_count()
    if count > there:
        raise DeviceExhausted(
            f"{there} CUDA device{'s are' if there > 1 else ' is'} here, not {count}",
            cure=f"Give --devices {there}, or --device cpu for as many processes as you like.",
        )
    kinds = sorted({torch.cuda.get_device_name(index) for index in range(count)})
    if len(kinds) > 1:
        raise DeviceExhausted(
            f"the first {count} CUDA devices are of several kinds ({', '.join(kinds)}), whose roundings differ",
            cure="Name those of one kind in CUDA_VISIBLE_DEVICES.",
        )


def on_every_device(work: Work, devices: Devices, hear: Say) -> None:
    """Run `work` in a process of its own for each device, and wait until all are done.

    Args:
        work: given its Fabric and, to say something with, a function; both it and what it says must be picklable.
        hear: told in this thread what any of them says. If it raises, all processes are ended.

    Raises:
        TrainingFailed: a process was killed, or did not answer the others.
        Exception: the first that `work` raised on any device, with where it came from as a note.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // devices.count)
    with tempfile.TemporaryDirectory(prefix="normascope-") as folder:
        meeting = str(Path(folder) / "meeting")
        processes: list[SpawnProcess] = []
        readers: list[Connection] = []
        try:
            for number in range(devices.count):
                reader, writer = context.Pipe(duplex=False)
                asked = (work, devices, number, threads, meeting, writer)
                process = context.Process(target=_device, args=asked, name=f"device {number}", daemon=True)
                process.start()
                writer.close()  # so that the pipe ends with the process
                processes.append(process)
                readers.append(reader)
            _listen(processes, readers, hear)
        finally:
            _end(processes)


def _listen(processes: Sequence[SpawnProcess], readers: Sequence[Connection], hear: Say) -> None:
    """Pass on what is said until every process is done. Raises the first error of any."""
    open_readers = dict(zip(readers, processes, strict=True))
    while open_readers:
        for reader in wait(list(open_readers)):
            assert isinstance(reader, Connection)
            process = open_readers[reader]
            try:
                word, value = reader.recv()
            except EOFError:
                raise _lost(process) from None
            if word == "said":
                hear(value)
            elif word == "done":
                del open_readers[reader]
            else:
                raise _first_cause(value, [other for other in processes if other is not process])


def _first_cause(error: BaseException, others: Sequence[SpawnProcess]) -> BaseException:
    """The error, unless it is a complaint about another process that has just died. One that has failed waits to be ended, and does not die."""
    if isinstance(error, NormascopeError | OSError):
        return error
    until = time.monotonic() + (GRACE if _is_about_others(error) else 0.0)
    while True:
        for process in others:
            if process.exitcode:
                return _lost(process)
        if time.monotonic() >= until:
            break
        time.sleep(0.05)
    if _is_about_others(error):
        return TrainingFailed(
            f"the devices lost each other ({str(error).splitlines()[0]})",
            cure="Resume the run; what it had finished is kept.",
        )
    return error


def _is_about_others(error: BaseException) -> bool:
    """Whether an exchange between devices failed, of which only the words tell."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower() or "nccl" in str(error).lower()


def _lost(process: SpawnProcess) -> TrainingFailed:
    process.join(GRACE)
    code = process.exitcode
    reason = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
    return TrainingFailed(
        f"the process of {process.name} ended before its work was done ({reason})",
        cure="Resume the run; what it had finished is kept. If it happens again, memory is the likely reason: train on fewer devices.",
    )


def _end(processes: Sequence[SpawnProcess]) -> None:
    """Those that are done have ended or are about to; whatever else they do, nothing of it is wanted."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE)
        if process.exitcode is None:
            process.kill()
            process.join()


def _device(work: Work, devices: Devices, number: int, threads: int, meeting: str, writer: Connection) -> None:
    """A process's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; who started them ends them
    threading.Thread(target=_end_with_parent, args=(Path(meeting).parent,), daemon=True).start()
    torch.set_num_threads(threads)
    try:
        work(_joined(devices, number, meeting), lambda said: writer.send(("said", said)))
        distributed.destroy_process_group()
        writer.send(("done", None))
    except Exception as error:
        error.add_note(traceback.format_exc())
        writer.send(("failed", _sendable(error)))
        threading.Event().wait()  # were this process to end, the others' complaints about it might be heard first


def _joined(devices: Devices, number: int, meeting: str) -> Fabric:
    """The Fabric of one process, once all have met."""
    os.environ["LOCAL_RANK"] = str(number)  # tells Fabric that the processes are there already
    if loopback := [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])  # all are on this machine: no other can listen
    cuda = devices.kind == "cuda"
    backend = "nccl" if cuda and distributed.is_nccl_available() else "gloo"
    store = FileStore(meeting, devices.count)
    distributed.init_process_group(
        backend, store=store, rank=number, world_size=devices.count, timeout=SILENCE
    )  # Fabric takes a group that is there, and its own way to make one needs a free port
    fabric = Fabric(
        accelerator=devices.kind,
        devices=list(range(devices.count)) if cuda else devices.count,
        strategy=_Unwrapped(),
        precision=devices.precision,
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric


class _Unwrapped(DDPStrategy):
    """One process a device, whose networks are what they are on one."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module


def _sendable(error: Exception) -> Exception:
    """The error itself where a pipe can carry it."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))
        return error
    words = RuntimeError(f"{type(error).__name__}: {error}")
    words.add_note(traceback.format_exc())
    return words


def _end_with_parent(folder: Path) -> None:
    """End at once when the process that started this one is gone, however it went; the folder that it could not remove goes too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
