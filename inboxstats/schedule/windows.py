"""A task of the Windows Task Scheduler, by its XML (Task Scheduler Schema) and schtasks.exe."""

import subprocess
import xml.etree.ElementTree as ET
from datetime import datetime, time

from inboxstats.schedule.clock import next_time
from inboxstats.schedule.machine import Delete, Machine, Run, Step, Task, Timer, Write

name = "windows"

TASK = "inboxstats nightly"
NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"

NOTES = ("It runs only while you are logged on, as only then your saved passwords can be read.",)

# In the order that the schema demands. S4U ("do not store password") would lock the user's secrets.
_XML = """\
<Task version="1.2" xmlns="{namespace}">
 <RegistrationInfo><Description>inboxstats: fetch mail, report, digest</Description></RegistrationInfo>
 <Triggers>
  <CalendarTrigger>
   <StartBoundary>2026-01-01T{at:%H:%M}:00</StartBoundary>
   <Enabled>true</Enabled>
   <RandomDelay>PT15M</RandomDelay>
   <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
  </CalendarTrigger>
 </Triggers>
 <Principals>
  <Principal id="Author"><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel></Principal>
 </Principals>
 <Settings>
  <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
  <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
  <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
  <StartWhenAvailable>true</StartWhenAvailable>
  <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
  <Hidden>true</Hidden>
  <ExecutionTimeLimit>PT6H</ExecutionTimeLimit>
  <Priority>7</Priority>
 </Settings>
 <Actions Context="Author"><Exec/></Actions>
</Task>
"""


def is_there(machine: Machine) -> bool:
    """On Windows there is nothing else."""
    return machine.platform == "win32"


def installation(task: Task, machine: Machine) -> list[Step]:
    """The XML lies in a file only while schtasks reads it."""
    xml = machine.temporary / "inboxstats-task.xml"
    return [
        Write(xml, _definition(task)),
        Run(("schtasks", "/Create", "/F", "/TN", TASK, "/XML", str(xml))),
        Delete(xml),
    ]


def removal(machine: Machine) -> list[Step]:
    """Nothing stays."""
    return [
        Run(("schtasks", "/Delete", "/F", "/TN", TASK), may_fail=True),
        Delete(machine.temporary / "inboxstats-task.xml"),
    ]


def state(machine: Machine, now: datetime) -> Timer | None:
    """The task as schtasks knows it. Its times of runs come in the words of each language, so `last` is unknown."""
    shown = machine.run(("schtasks", "/Query", "/TN", TASK, "/XML"), b"")
    if shown.code:
        return None
    at = _at(shown.out)
    return Timer(name, at, next=next_time(at, machine.clock, now) if at else None, notes=NOTES)


def _at(xml: bytes) -> time | None:
    try:
        text = xml.decode("utf-16" if xml.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", "replace")
        root = ET.fromstring(text.partition("?>")[2] or text)  # noqa: S314 -- the system's own answer
        start = root.findtext(f".//{{{NAMESPACE}}}StartBoundary") or ""
        return datetime.fromisoformat(start).time()
    except (ET.ParseError, ValueError):
        return None


def _definition(task: Task) -> bytes:
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(_XML.format(namespace=NAMESPACE, at=task.at))  # noqa: S314 -- our own text
    exec_ = root.find(f".//{{{NAMESPACE}}}Exec")
    assert exec_ is not None
    ET.SubElement(exec_, f"{{{NAMESPACE}}}Command").text = task.nightly[0]
    ET.SubElement(exec_, f"{{{NAMESPACE}}}Arguments").text = subprocess.list2cmdline(task.nightly[1:])
    text = ET.tostring(root, encoding="unicode")
    # schtasks reads UTF-16 with its mark alone, whatever the declaration says.
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.encode("utf-16")
