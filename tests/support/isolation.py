"""A Linux namespace in which every IPv4 address is this machine and every name resolves: it records whom a command contacts.

`run_isolated` starts this module as a program in the namespace. It makes all addresses local, so that connections to addresses
written as numbers leave a packet, too; it puts a resolver of its own in place of the system's; and it records all names that are
looked up and all packets that would have left the machine.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOREIGN = "198.51.100.7"
"""The address of all names: of a network that RFC 5737 reserves for documentation."""
NETWORKS = {"127.0.0.1": 8, **{f"{2**bits}.0.0.1": 8 - bits for bits in range(8)}}
"""All of IPv4 except 0.0.0.0/8: addresses of the loopback device, and the lengths of their prefixes."""
HIDDEN = ("/run/systemd/resolve", "/run/nscd", "/var/run/nscd")
"""Sockets of programs outside of the namespace that would resolve names."""
MS_BIND, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS, IFF_UP = 4096, 0x8916, 0x891C, 0x8914, 1
ETH_P_ALL, PACKET_OUTGOING = 3, 4


@dataclass(frozen=True)
class Contact:
    """A name that was looked up, or an address that was contacted."""

    moment: float
    """As of `time.monotonic`."""
    what: str


@cache
def why_not() -> str:
    """Say why this machine allows no such namespace; '' if it does."""
    if sys.platform != "linux":
        return "namespaces are a part of Linux"
    try:
        done, contacts = run_isolated([sys.executable, "-c", "import socket; socket.getaddrinfo('tried.example', 1)"], timeout=20)
    except RuntimeError as error:
        return f"no network namespace: {error}"
    return "" if done.returncode == 0 and contacts else "the resolver in the namespace is not asked"


def run_isolated(
    command: Sequence[object], env: Mapping[str, str] | None = None, timeout: float = 120.0
) -> tuple[subprocess.CompletedProcess[str], list[Contact]]:
    """Run a command in the namespace.

    Args:
        command: The program and its arguments.
        env: All environment variables; those of this process by default.
        timeout: Seconds that it may take.

    Returns:
        How it ended, and whom it contacted.

    Raises:
        RuntimeError: There is no program `unshare`, or the namespace is refused.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise RuntimeError("the program unshare is not installed")
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "contacts.json"
        done = subprocess.run(
            [unshare, "--map-root-user", "--net", "--mount", sys.executable, __file__, str(record), *map(str, command)],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if not record.is_file():
            raise RuntimeError(done.stderr.strip() or f"exit code {done.returncode}")
        return done, [Contact(*contact) for contact in json.loads(record.read_text())]


def main(record: str, *command: str) -> int:
    """Run a command within the namespace, and write whom it contacts."""
    make_all_addresses_local()
    replace_resolver(Path(record).parent)
    contacts: list[Contact] = []
    for watch in (answer_names, watch_packets):
        ready = threading.Event()
        threading.Thread(target=watch, args=(contacts, ready), daemon=True).start()
        if not ready.wait(10):
            raise RuntimeError(f"{watch.__name__} does not start")
    code = subprocess.run(command, check=False).returncode
    time.sleep(0.1)
    Path(record).write_text(json.dumps([(contact.moment, contact.what) for contact in contacts]))
    return code


def make_all_addresses_local() -> None:
    """Give all networks to the loopback device, each as an alias of its own."""
    import fcntl  # not on Windows, where this module is imported, too

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        for number, (address, length) in enumerate(NETWORKS.items()):
            name = b"lo" if number == 0 else b"lo:%d" % number
            mask = struct.pack("!I", (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF)
            for request, content in ((SIOCSIFADDR, socket.inet_aton(address)), (SIOCSIFNETMASK, mask)):
                fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, content))


def replace_resolver(folder: Path) -> None:
    """Let the C library ask 127.0.0.1, and nobody outside of the namespace."""
    files = {"/etc/resolv.conf": "nameserver 127.0.0.1\n", "/etc/nsswitch.conf": "hosts: files dns\n"}
    for number, (target, text) in enumerate(files.items()):
        if Path(target).exists():
            own = folder / str(number)
            own.write_text(text)
            _mount(str(own), str(Path(target).resolve()), None, MS_BIND)
    for hidden in HIDDEN:
        if Path(hidden).is_dir():
            _mount("none", hidden, "tmpfs", 0)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(source.encode(), target.encode(), kind and kind.encode(), flags, None):
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")


def answer_names(contacts: list[Contact], ready: threading.Event) -> None:
    """Record each name that is looked up, and answer with one address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        ready.set()
        while True:
            question, asker = server.recvfrom(4096)
            end = question.index(b"\0", 12)
            labels = list(_labels(question[12:end]))
            contacts.append(Contact(time.monotonic(), f"look-up of {'.'.join(labels)}"))
            is_address = question[end + 1 : end + 3] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(FOREIGN) if is_address else b""
            head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_address else b"\0\0") + b"\0\0\0\0"
            server.sendto(head + question[12 : end + 5] + answer, asker)


def _labels(name: bytes) -> Iterator[str]:
    while name:
        yield name[1 : 1 + name[0]].decode(errors="replace")
        name = name[1 + name[0] :]


def watch_packets(contacts: list[Contact], ready: threading.Event) -> None:
    """Record each connection that is begun, and each datagram, to an address that this machine would not have itself."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as packets:
        ready.set()
        while True:
            packet, (_, kind, direction, *_) = packets.recvfrom(65536)
            if direction != PACKET_OUTGOING or kind != 0x0800 or _is_own(packet[16:20]):
                continue
            protocol, content = packet[9], packet[4 * (packet[0] & 15) :]
            begins = protocol == socket.IPPROTO_TCP and content[13] & 0x12 == 2
            if begins or protocol == socket.IPPROTO_UDP:
                port = int.from_bytes(content[2:4], "big")
                contacts.append(Contact(time.monotonic(), f"packet to {socket.inet_ntoa(packet[16:20])} port {port}"))


def _is_own(address: bytes) -> bool:
    return address[0] == 127 or socket.inet_ntoa(address) in NETWORKS


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
