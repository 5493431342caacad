"""Two machines on one kernel: network namespaces joined by a wire whose bytes are counted, and the
processes in them with their time, memory and processor use.

Not its job: knowing any of the programs that run there.
"""

import ctypes
import http.client
import json
import os
import selectors
import subprocess
import time

CLONE_NEWNET = 0x40000000
TICKS = os.sysconf("SC_CLK_TCK")


class TooLong(Exception):
    """Something did not happen within its time."""


class Failed(Exception):
    """A program ended with an error; the text holds its last words."""


def until(happened, seconds, what, every=0.02):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = happened()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TooLong(f"{what}: not within {seconds} s")
        time.sleep(every)


class Finished:
    """What a program that ran to its end used."""

    def __init__(self, seconds, usage, output):
        self.seconds = seconds
        self.peak = usage.ru_maxrss * 1024
        self.cpu = usage.ru_utime + usage.ru_stime
        self.output = output


class Process:
    """A running program that speaks lines on its standard output."""

    def __init__(self, popen, log):
        self.popen = popen
        self.log = log
        self._read = b""

    def line(self, seconds):
        """The next line of its output."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TooLong(f"no answer within {seconds} s; {self.last_words()}")
                some = os.read(self.popen.stdout.fileno(), 1 << 16)
                if not some:
                    raise Failed(f"ended: {self.last_words()}")
                self._read += some
        line, self._read = self._read.split(b"\n", 1)
        return line.decode()

    def tell(self, text):
        """Writes one line to its standard input."""
        self.popen.stdin.write(text.encode() + b"\n")
        self.popen.stdin.flush()

    def last_words(self):
        return last_words(self.log)

    def running(self):
        return self.popen.poll() is None

    def _status(self, field):
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as status:
            for row in status:
                if row.startswith(field + ":"):
                    return int(row.split()[1]) * 1024
        return 0

    def memory(self):
        """Bytes resident now."""
        return self._status("VmRSS")

    def peak(self):
        """Most bytes resident since the start or since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.popen.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")

    def cpu(self):
        """Processor seconds used, of user and kernel."""
        with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self, seconds=10):
        """Asks it to end, then makes it end."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()


def last_words(log):
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 600))
        return file.read().decode(errors="replace").strip()


class Machine:
    """One network namespace with one address. `holder` is a process in it, or None for our own."""

    def __init__(self, address, holder):
        self.address = address
        self.holder = holder

    def _inside(self, argv):
        if self.holder is None:
            return argv
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"] + argv

    def start(self, argv, log, env=None):
        """Starts a program whose errors go to the file `log`."""
        with open(log, "ab") as errors:
            popen = subprocess.Popen(
                self._inside(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
            )
        return Process(popen, log)

    def run(self, argv, log, seconds, env=None, stdin=b""):
        """Runs a program to its end and says what it used."""
        with open(log, "ab") as errors, open(log + ".out", "w+b") as output:
            begin = time.monotonic()
            popen = subprocess.Popen(
                self._inside(argv), stdin=subprocess.PIPE, stdout=output, stderr=errors, env=env
            )
            try:
                popen.stdin.write(stdin)
                popen.stdin.close()
            except BrokenPipeError:
                pass
            usage, code, took = wait(popen, begin, seconds)
            output.seek(0)
            text = output.read()
        if code:
            raise Failed(f"{argv[0]} ended with {code}: {last_words(log)} {text[-300:]}")
        return Finished(took, usage, text)

    def http(self, port, headers):
        return Http(self, port, headers)


def wait(popen, begin, seconds):
    """Waits for the end as precisely as a blocking wait, but not for ever."""
    descriptor = os.pidfd_open(popen.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            if not selector.select(seconds):
                popen.kill()
                popen.wait()
                raise TooLong(f"{popen.args[0]}: still running after {seconds} s")
    finally:
        os.close(descriptor)
    took = time.monotonic() - begin
    _, status, usage = os.wait4(popen.pid, 0)
    popen.returncode = os.waitstatus_to_exitcode(status)
    return usage, popen.returncode, took


class Http(http.client.HTTPConnection):
    """A connection kept open to a program's API on its machine's own loopback, apart from the wire."""

    def __init__(self, machine, port, headers, timeout=120):
        super().__init__("localhost", port, timeout=timeout)
        self.machine = machine
        self.headers = headers

    def connect(self):
        # A socket stays in the namespace it was made in.
        if self.machine.holder is None:
            return super().connect()
        with open("/proc/self/ns/net", "rb") as home:
            with open(f"/proc/{self.machine.holder.pid}/ns/net", "rb") as there:
                enter(there)
            try:
                return super().connect()
            finally:
                enter(home)

    def call(self, method, path, body=None, more=None):
        """Answers (status, bytes). A connection that the other side closed is opened anew, once."""
        for attempt in (1, 2):
            try:
                self.request(method, path, body, {**self.headers, **(more or {})})
                answer = self.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                if attempt == 2:
                    raise

    def json(self, method, path, body=None):
        """A call with JSON in and out; a refusal is an error."""
        data = None if body is None else json.dumps(body).encode()
        status, text = self.call(method, path, data, {"Content-Type": "application/json"})
        if status >= 400:
            raise Failed(f"{method} {path}: {status} {text[:300]!r}")
        return json.loads(text) if text.strip() else None


def enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Wire:
    """Our own namespace (machine a), a second one (machine b) and the wire between them."""

    ADDRESSES = ("10.77.0.1", "10.77.0.2")
    HARDWARE = ("02:00:00:00:00:01", "02:00:00:00:00:02")

    def __init__(self):
        holder = subprocess.Popen(
            ["unshare", "--net", "--", "sleep", "infinity"], stdin=subprocess.DEVNULL
        )
        ours = os.stat("/proc/self/ns/net").st_ino
        until(
            lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino != ours, 10, "a network namespace"
        )
        self.a = Machine(self.ADDRESSES[0], None)
        self.b = Machine(self.ADDRESSES[1], holder)
        ip("link add wire type veth peer name wire netns " + str(holder.pid))
        for number, machine in enumerate((self.a, self.b)):
            self._set_up(machine, number)

    def _set_up(self, machine, number):
        # Fixed neighbours and no IPv6: nothing is on the wire but what the programs send.
        other = 1 - number
        for words in (
            "link set lo up",
            f"link set wire address {self.HARDWARE[number]} addrgenmode none",
            f"addr add {machine.address}/24 dev wire",
            "link set wire up",
            f"neigh add {self.ADDRESSES[other]} lladdr {self.HARDWARE[other]} dev wire",
        ):
            ip(words, machine)

    def bytes(self):
        """Bytes sent over the wire so far, both directions, headers included."""
        with open("/proc/self/net/dev", encoding="ascii") as table:
            for row in table:
                name, _, numbers = row.partition(":")
                if name.strip() == "wire":
                    fields = numbers.split()
                    return int(fields[0]) + int(fields[8])
        raise Failed("the wire is gone")

    def quiet(self, seconds=1.0, limit=20.0):
        """Waits until nothing was sent for a while. A wire that never rests is given up on."""
        deadline = time.monotonic() + limit
        before, since = self.bytes(), time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < seconds:
            time.sleep(0.05)
            now = self.bytes()
            if now != before:
                before, since = now, time.monotonic()


def ip(words, machine=None):
    argv = ["ip"] + words.split()
    subprocess.run(machine._inside(argv) if machine else argv, check=True)
