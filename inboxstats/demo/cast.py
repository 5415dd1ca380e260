"""Everybody who writes to the demo mailbox. One more correspondent is one more row here."""

from functools import partial

from inboxstats.demo import people
from inboxstats.demo.people import Correspondent

colleague = partial(
    Correspondent, habit=people.OFFICE, replies=0.5, organisation="Harbour Software\nQuay 7, third floor"
)
customer = partial(Correspondent, habit=people.OFFICE, replies=0.45)
friend = partial(Correspondent, habit=people.PRIVATE, replies=0.55)
singer = partial(friend, replies=0.4, list_id="choir.lists.example", unsubscribe=True)
analyst = partial(customer, replies=0.6, list_id="pydata.lists.example", unsubscribe=True)
newsletter = partial(Correspondent, style="html", tool=True, unsubscribe=True)
shop = partial(Correspondent, habit=people.SHOP, style="alternative", tool=True)
program = partial(Correspondent, habit=people.OFFICE, encoding="7bit", tool=True)

ME = Correspondent("Robin Vale", "robin@example.org", "football hiking", 300, people.OFFICE)
"""Whose mailbox it is. Nearly all that Robin writes is an answer."""

CAST = (
    # The office: project Lighthouse ends, project Compass begins.
    colleague("Ann Berg", "ann.berg@harbour.example", "lighthouse", 150, life=(0.05, 0.7), trend="project"),
    colleague(
        "Ann Berg", "ann.berg@harbour.example", "compass", 130, life=(0.6, 1), trend="grows", style="alternative"
    ),
    colleague("Tomasz Zieliński", "tomasz@harbour.example", "lighthouse", 110, life=(0.05, 0.7), trend="project"),
    colleague(
        "Priya Raman", "priya.raman@harbour.example", "compass", 150, life=(0.55, 1), trend="grows", zone=people.KOLKATA
    ),
    colleague("Callum Reid", "callum@harbour.example", "hiring hiking", 55, zone=people.LONDON, encoding="7bit"),
    colleague("Dr. Ines Marchetti", "ines@harbour.example", "budget hiring", 80, files="xlsx pdf", attaches=0.3),
    colleague("Élodie Garnier", "elodie@harbour.example", "phare", 45, charset="iso-8859-15", trend="fades"),
    colleague(
        "Harbour Calendar", "calendar@harbour.example", "meetings", 80, replies=0, files="ics", attaches=1, tool=True
    ),
    # Customers and suppliers.
    customer(
        "Okafor, Ngozi (Meridian)",
        "ngozi.okafor@meridian.example",
        "support",
        75,
        zone=people.NEW_YORK,
        style="html",
        charset="windows-1252",
        files="png zip",
        attaches=0.35,
        trend="grows",
    ),
    customer(
        "Meridian Accounts", "accounts@meridian.example", "billing", 24, zone=people.NEW_YORK, files="pdf", attaches=0.8
    ),
    customer(
        "Jürgen Weiß",
        "j.weiss@alpenblick.example",
        "seilbahn",
        75,
        charset="iso-8859-1",
        organisation="Bergbahnen Alpenblick\nTechnische Leitung",
        files="pdf xlsx",
        attaches=0.25,
    ),
    customer(
        "佐藤 健",
        "sato@minato.example",
        "minato",
        60,
        charset="iso-2022-jp",
        encoding="7bit",
        zone=people.TOKYO,
        trend="grows",
    ),
    # Family and friends.
    friend("Margaret Vale", "margaret.vale@example.net", "family", 60, files="png", attaches=0.3, zone=people.LONDON),
    friend("Käthe Vale", "kaethe@familie.example", "familie", 50, charset="iso-8859-15", files="png", attaches=0.2),
    friend("Jonas Holm", "jonas.holm@example.com", "football hiking", 90, style="alternative"),
    friend(
        "Maya Osei", "maya@example.net", "hiking", 60, zone=people.OAKLAND, files="png", attaches=0.35, life=(0.2, 1)
    ),
    friend("Olu Adeyemi", "olu@example.com", "football", 70, encoding="7bit", trend="fades"),
    friend("Lucía Ferrer", "lucia.ferrer@example.net", "viaje", 60, files="png", attaches=0.25, charset="windows-1252"),
    friend("Аня Соколова", "anya@klub.example", "shakhmaty", 45, charset="koi8-r", encoding="8bit", zone=people.MOSCOW),
    friend("Кружок шахмат", "klub@klub.example", "shakhmaty", 15, encoding="base64", zone=people.MOSCOW),
    # Mailing lists.
    singer("Beatrice Lund", "beatrice@example.com", "choir", 60, files="pdf", attaches=0.3),
    singer("Hugh Pemberton", "hugh@example.net", "choir", 30, zone=people.LONDON),
    singer("Marit Solberg", "marit@example.org", "choir", 25, life=(0.3, 1)),
    analyst("Kenji Mori", "kenji@example.com", "pydata", 45, zone=people.TOKYO, trend="grows", encoding="8bit"),
    analyst("Sofia Duarte", "sofia@example.org", "pydata", 45, zone=people.NEW_YORK, life=(0.25, 1)),
    analyst("Wes", "wes@example.net", "pydata", 40, zone=people.OAKLAND, encoding="7bit"),
    # Newsletters: one of them is unsubscribed.
    newsletter(
        "The Data Digest",
        "digest@datadigest.example",
        "datadigest",
        78,
        people.THURSDAY,
        list_id="digest.datadigest.example",
    ),
    newsletter(
        "Kitchen Notes",
        "hello@kitchen.example",
        "kitchen",
        190,
        people.MORNING,
        list_id="daily.kitchen.example",
        trend="grows",
    ),
    newsletter(
        "Stride Running",
        "news@stride.example",
        "running",
        130,
        people.SUNDAY,
        life=(0, 0.5),
        list_id="news.stride.example",
    ),
    newsletter(
        "Librairie du Canal",
        "bonjour@librairie.example",
        "librairie",
        40,
        people.MORNING,
        charset="iso-8859-1",
        files="pdf",
        attaches=0.2,
        list_id="lettre.librairie.example",
    ),
    # Shops and what they send.
    shop("Paper Boat Books", "orders@paperboat.example", "bookshop", 70, files="pdf", attaches=0.4),
    shop(
        "Overland Trains",
        "tickets@overland.example",
        "trains",
        60,
        style="html",
        files="pdf",
        attaches=0.6,
        encoding="base64",
    ),
    shop("Green Box", "box@greenbox.example", "groceries", 70, life=(0.35, 1), trend="grows"),
    shop("Lindenbank", "service@lindenbank.example", "bank", 36, style="html"),
    # Programs.
    program("Build Server", "ci@build.harbour.example", "build", 190, zone=people.UTC, trend="grows"),
    program("Issue Tracker", "tracker@harbour.example", "tracker", 140, zone=people.UTC, style="alternative"),
    program("backup", "backup@nas.example.org", "backup", 78, habit=people.NIGHTLY),
)
