"""Plays systemd's part where process 1 is not systemd: real processes from real unit files.

Called as: python3 systemctl.py UNITS STATE <arguments of systemctl>
"""

import os
import re
import signal
import subprocess
import sys
import time

UNITS, STATE = sys.argv[1:3]


def read(unit):
    """The settings of a unit, with the instance's name put in."""
    template = re.sub(r"@[^.]*\.", "@.", unit)
    path = os.path.join(UNITS, unit)
    if not os.path.exists(path):
        path = os.path.join(UNITS, template)
    if not os.path.exists(path):
        sys.exit(f"Unit {unit} not found.")
    found = re.search(r"@([^.]*)\.", unit)
    instance = found.group(1) if found else ""
    settings = {}
    for line in open(path):
        key, equals, value = line.rstrip("\n").partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(key, []).append(value)
    return settings, instance


def specifiers(text, instance):
    return re.sub(r"%(.)", lambda m: instance if m.group(1) == "i" else m.group(1), text)


def words(text, instance):
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    return [specifiers(re.sub(r"\\(.)", r"\1", word), instance) for word in quoted]


def last(settings, key, default=""):
    return settings.get(key, [default])[-1]


def pid_file(unit):
    return os.path.join(STATE, unit + ".pid")


def pid(unit):
    try:
        return int(open(pid_file(unit)).read())
    except FileNotFoundError:
        return None


def alive(number):
    try:
        stat = open(f"/proc/{number}/stat").read()
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def state(unit):
    if not unit.endswith(".service"):
        return "active" if os.path.exists(pid_file(unit)) else "inactive"
    number = pid(unit)
    if number is None:
        return "inactive"
    return "active" if alive(number) else "failed"


def start(unit):
    settings, instance = read(unit)
    if state(unit) == "active":
        return
    if not unit.endswith(".service"):
        open(pid_file(unit), "w").close()
        for wanted in settings.get("Wants", []):
            if unit.endswith(".target"):
                start(wanted)
        return
    environment = {"PATH": os.environ["PATH"]}
    for line in settings.get("Environment", []):
        for word in words(line, instance):
            name, _, value = word.partition("=")
            environment[name] = value
    command = words(last(settings, "ExecStart"), instance)
    command = command[:1] + [word.replace("$$", "$") for word in command[1:]]
    folder = specifiers(last(settings, "WorkingDirectory", "/"), instance)
    log = open(os.path.join(STATE, unit + ".log"), "a")
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    with open(pid_file(unit), "w") as file:
        file.write(str(child.pid))


def stop(unit):
    settings, _ = read(unit)
    if unit.endswith(".target"):
        for wanted in settings.get("Wants", []):
            stop(wanted)
    number = pid(unit) if unit.endswith(".service") else None
    if number is not None and alive(number):
        asked = getattr(signal, last(settings, "KillSignal", "SIGTERM"))
        os.kill(number, asked)
        end = time.monotonic() + int(last(settings, "TimeoutStopSec", "90"))
        while alive(number):
            if time.monotonic() > end:
                os.kill(number, signal.SIGKILL)
            time.sleep(0.01)
    if os.path.exists(pid_file(unit)):
        os.remove(pid_file(unit))


def main():
    options = [word for word in sys.argv[4:] if word.startswith("--") and word != "--"]
    units = [word for word in sys.argv[4:] if not word.startswith("--")]
    verb = sys.argv[3]
    with open(os.path.join(STATE, "calls"), "a") as calls:
        calls.write(" ".join([verb, *options, *units]) + "\n")
    if verb == "daemon-reload":
        return
    if verb == "show":
        wanted = options[0].partition("=")[2].split(",")
        values = {"ActiveState": state(units[0]), "NRestarts": "0", "MemoryCurrent": "[not set]"}
        values["MainPID"] = str(pid(units[0]) or 0) if units[0].endswith(".service") else "0"
        for key in wanted:
            print(f"{key}={values[key]}")
        return
    for unit in units:
        if verb == "start":
            start(unit)
        elif verb == "stop":
            stop(unit)
        elif verb == "restart":
            stop(unit)
            start(unit)
        elif verb == "reset-failed":
            if state(unit) != "failed":
                sys.exit(f"Unit {unit} has not failed.")
        else:
            sys.exit(f"no {verb}")


main()
