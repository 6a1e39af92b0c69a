"""What answers look like that are not JSON."""

from typing import Final

from api_service.http.examples import NODE_ID, SHA

ICALENDAR: Final = (
    "BEGIN:VCALENDAR\r\n"
    "VERSION:2.0\r\n"
    "PRODID:-//Reference API//Availability of nodes//EN\r\n"
    "METHOD:PUBLISH\r\n"
    "NAME:8797e2b9-9ec2-5c16-9c1f-06ed711e9049 at tacc/chameleon\r\n"
    "REFRESH-INTERVAL;VALUE=DURATION:PT5M\r\n"
    "BEGIN:VEVENT\r\n"
    "SUMMARY:P3-CPU-033 reserved\r\n"
    "DTSTART:20261124T050000Z\r\n"
    "DTEND:20261125T080000Z\r\n"
    "DTSTAMP:20261124T055342Z\r\n"
    "UID:3c0d1c1e-3d0c-5b39-a7e1-6f0fb1a1e2f7\r\n"
    "SEQUENCE:217662822\r\n"
    "LAST-MODIFIED:20261124T055342Z\r\n"
    "LOCATION:tacc/chameleon\r\n"
    "TRANSP:OPAQUE\r\n"
    "END:VEVENT\r\n"
    "END:VCALENDAR\r\n"
)
EVENTS: Final = f"""\
retry: 3000

event: inventory
data: {{"version":"{SHA}","sites":["kvm","tacc","uc"]}}
id: {SHA};

event: availability
data: {{"site_id":"tacc","generation":1795499622686,"last_updated":"2026-11-24T05:53:42.686000Z","stale":false,\
"nodes":[\
{{"node_id":"{NODE_ID}","cluster_id":"chameleon","availability":"reserved",\
"availability_until":"2026-11-25T08:00:00Z","maintenance":false,\
"reservations":[{{"start":"2026-11-24T05:00:00Z","end":"2026-11-25T08:00:00Z"}}]}}]}}
id: {SHA};tacc=1795499622686.1795499640000.231edadffd9b

: ping

"""
