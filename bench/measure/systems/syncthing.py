"""Syncthing: one instance per machine, with everything off that talks to the world outside.

Not its job: deciding what is measured.
"""

import json
import os
import subprocess
from xml.sax.saxutils import quoteattr

from measure.machine import Failed, TooLong, until

API_PORT = 8384
KEY = "bench"
FOLDER = "bench"
OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "startBrowser": "false",
    "urAccepted": "-1",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "stunKeepaliveStartS": "0",
    "setLowPriority": "false",
    "announceLANAddresses": "false",
}


class Syncthing:
    """One instance with one shared folder."""

    def __init__(self, machine, home, folder):
        os.makedirs(home)
        os.makedirs(folder, exist_ok=True)
        self.machine = machine
        self.home = home
        self.folder = folder
        self.log = os.path.join(home, "log")
        self.process = None
        self.http = None
        # One process: no supervisor that would be measured too, and no upgrades.
        self.env = {**os.environ, "STMONITORED": "yes", "STNOUPGRADE": "1", "HOME": home}
        generate = ["syncthing", "generate", f"--home={home}", "--no-default-folder"]
        machine.run(generate + ["--skip-port-probing"], self.log, 60, env=self.env)
        asked = ["syncthing", f"--home={home}", "--device-id"]
        output = subprocess.run(asked, env=self.env, check=True, capture_output=True, text=True)
        self.device = output.stdout.strip()

    def configure(self, peer=None, kind="sendreceive", password="", peer_paused=True, watch=False):
        """Writes the settings: the folder starts paused; `password` seals it towards the peer."""
        devices = [(self.device, f"tcp://{self.machine.address}:22000", False, "")]
        if peer:
            # Only one side knows an address: two dials at one moment can cost 20 s.
            address = "dynamic" if peer_paused is None else f"tcp://{peer.machine.address}:22000"
            devices.append((peer.device, address, bool(peer_paused), password))
        text = ['<configuration version="36">']
        text.append(
            f'<folder id="{FOLDER}" label="" path={quoteattr(self.folder)} type="{kind}" '
            f'rescanIntervalS="0" fsWatcherEnabled="{str(watch).lower()}" fsWatcherDelayS="1" '
            'ignorePerms="false" autoNormalize="true"><filesystemType>basic</filesystemType>'
            '<minDiskFree unit="%">0</minDiskFree><paused>true</paused>'
        )
        for device, _, _, secret in devices:
            text.append(
                f'<device id="{device}" introducedBy="">'
                f"<encryptionPassword>{secret}</encryptionPassword></device>"
            )
        text.append("</folder>")
        for device, address, paused, _ in devices:
            text.append(
                f'<device id="{device}" name="" compression="metadata"><address>{address}</address>'
                f"<paused>{str(paused).lower()}</paused></device>"
            )
        text.append(
            f'<gui enabled="true" tls="false"><address>127.0.0.1:{API_PORT}</address>'
            f"<apikey>{KEY}</apikey></gui><options>"
        )
        text.append(f"<listenAddress>tcp://{self.machine.address}:22000</listenAddress>")
        text.extend(f"<{name}>{value}</{name}>" for name, value in OPTIONS.items())
        text.append("</options></configuration>")
        with open(os.path.join(self.home, "config.xml"), "w", encoding="utf-8") as file:
            file.write("".join(text))

    def start(self):
        argv = ["syncthing", "serve", f"--home={self.home}", "--no-browser", "--no-restart"]
        argv += [f"--logfile={self.home}/syncthing.log"]
        self.process = self.machine.start(argv, self.log, env=self.env)
        self.http = self.machine.http(API_PORT, {"X-API-Key": KEY})
        until(self._answers, 60, "Syncthing's API", every=0.05)

    def _answers(self):
        if not self.process.running():
            raise Failed(f"Syncthing ended: {self.process.last_words()}")
        try:
            return self.http.call("GET", "/rest/system/ping")[0] == 200
        except OSError:
            self.http.close()
            return False

    def stop(self):
        if self.process:
            self.process.stop()

    def status(self):
        return self.http.json("GET", f"/rest/db/status?folder={FOLDER}")

    def counters(self):
        """Bytes of the protocol with all peers since the connection, both directions."""
        total = self.http.json("GET", "/rest/system/connections")["connections"].values()
        return sum(peer["inBytesTotal"] + peer["outBytesTotal"] for peer in total)

    def connected(self, peer):
        all_of_them = self.http.json("GET", "/rest/system/connections")["connections"]
        return all_of_them.get(peer.device, {}).get("connected", False)

    def pause_folder(self, paused):
        self.http.json("PATCH", f"/rest/config/folders/{FOLDER}", {"paused": paused})

    def pause_peer(self, peer, paused):
        self.http.json("PATCH", f"/rest/config/devices/{peer.device}", {"paused": paused})

    def scan(self, path=""):
        """Has one path looked at now, and returns when that is done."""
        self.http.json("POST", f"/rest/db/scan?folder={FOLDER}&sub={path}")

    def wait_scanned(self, files, seconds, every=0.02):
        def scanned():
            status = self.status()
            return status["state"] == "idle" and status["localFiles"] == files

        until(scanned, seconds, f"Syncthing's scan of {files} files", every)

    def wait_received(self, sender, files, seconds, every=0.05):
        """Until this instance has everything and the sender knows it."""

        def received():
            status = self.status()
            if status["state"] != "idle" or status["globalFiles"] < files:
                return False
            return status["needTotalItems"] == 0 and sender.knows_complete(self)

        try:
            until(received, seconds, f"Syncthing's sync of {files} files", every)
        except TooLong as late:
            raise TooLong(f"{late}; {json.dumps(self.status())}") from late

    def knows_complete(self, peer):
        path = f"/rest/db/completion?folder={FOLDER}&device={peer.device}"
        answer = self.http.json("GET", path)
        return answer["completion"] == 100 and answer["needItems"] == 0
