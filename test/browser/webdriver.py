# test/browser/webdriver.py: as much of the WebDriver protocol as the report's test needs, with the standard library only.
# SPDX-License-Identifier: PostgreSQL
import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


class BrowserError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    """A headless Chromium behind chromedriver."""

    def __init__(self, dark=False):
        self.port = free_port()
        self.profile = tempfile.mkdtemp(prefix="glassheap-chromium-")
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.session = None
        self._wait_until_ready()
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     f"--user-data-dir={self.profile}", "--force-device-scale-factor=1"]
        if dark:
            arguments += ["--blink-settings=preferredColorScheme=0"]
        options = {"binary": shutil.which("chromium"), "args": arguments}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = answer["sessionId"]

    def _wait_until_ready(self):
        for _ in range(100):
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise BrowserError("chromedriver does not answer")

    def _call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise BrowserError(error.read().decode()[:500]) from error

    def _in_session(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self._in_session("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self._in_session("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind):
        return self._in_session("POST", "/se/log", {"type": kind})

    def devtools(self, command, **parameters):
        return self._in_session("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=width < 600)

    def scheme(self, name):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        size = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": size[0], "height": min(size[1], 16000), "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def press(self, *keys):
        names = {"Tab": "\ue004", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "ArrowLeft": "\ue012", "End": "\ue010",
                 "Home": "\ue011", "Enter": "\ue007"}
        actions = []
        for key in keys:
            actions += [{"type": "keyDown", "value": names[key]}, {"type": "keyUp", "value": names[key]}]
        self._in_session("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def move_mouse(self, x, y):
        self._in_session("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "duration": 0, "x": x, "y": y, "origin": "viewport"}]}]})

    def close(self):
        try:
            if self.session:
                self._in_session("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=20)
            shutil.rmtree(self.profile, ignore_errors=True)
