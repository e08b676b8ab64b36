"""The words that generated documents are made of. Fixed here, so that a seed gives the same documents everywhere."""

from typing import Final, NamedTuple


class City(NamedTuple):
    """A place, such that address and coordinates agree."""

    name: str
    country: str
    longitude: float
    latitude: float


CITIES: Final = (
    City("Berlin", "DE", 13.405, 52.52),
    City("Lisboa", "PT", -9.139, 38.722),
    City("Paris", "FR", 2.352, 48.857),
    City("Kraków", "PL", 19.945, 50.065),
    City("London", "GB", -0.128, 51.507),
    City("Stockholm", "SE", 18.069, 59.329),
    City("Praha", "CZ", 14.438, 50.076),
    City("Madrid", "ES", -3.704, 40.417),
    City("Roma", "IT", 12.496, 41.903),
    City("Wien", "AT", 16.374, 48.208),
    City("Toronto", "CA", -79.383, 43.653),
    City("Boston", "US", -71.059, 42.36),
    City("Nairobi", "KE", 36.822, -1.292),
    City("Osaka", "JP", 135.502, 34.694),
    City("Santiago", "CL", -70.669, -33.449),
    City("Auckland", "NZ", 174.763, -36.848),
)

GIVEN_NAMES: Final = tuple(
    "Ada Amara Anna Ben Carla Chidi Dana David Elena Emil Farah Felix Grace Hana Hugo Ines Ivan Jana Jonas Kenji "  # noqa: SIM905  # reads better than words in quotes
    "Laura Leo Lin Maja Marco Mei Milan Nadia Noah Olga Omar Paula Rafael Rosa Samir Sara Tara Theo Yuki Zoe".split()
)
FAMILY_NAMES: Final = tuple(
    "Abe Alves Bauer Becker Castro Chen Costa Diaz Dubois Eriksen Fischer Garcia Haas Ivanov Jansen Kaya Keller Kim "  # noqa: SIM905  # reads better than words in quotes
    "Kowalski Larsen Lopez Martin Mensah Moreau Novak Okafor Olsen Park Patel Rossi Sato Schmidt Silva Singh Soto "
    "Tanaka Vidal Weber Winter Young".split()
)

COLOURS: Final = ("blue", "green", "grey", "ivory", "ochre", "red", "sand", "teal", "white", "yellow")
MATERIALS: Final = ("ash", "brass", "ceramic", "cork", "cotton", "felt", "glass", "linen", "oak", "steel", "wool")
THINGS: Final = tuple(
    "apron basket blanket bottle bowl box brush candle chair clock cup cushion desk frame jar jug kettle knife lamp "  # noqa: SIM905  # reads better than words in quotes
    "ladle mat mirror mug notebook pan pen plate pot rug scarf shelf spoon stool tea-towel tray vase".split()
)
TAGS: Final = ("bath", "desk", "garden", "gift", "home", "kitchen", "light", "new", "office", "outdoor", "sale", "tea")
TOPICS: Final = ("design", "delivery", "garden", "news", "research", "service", "travel", "workshop")
TITLE_ENDS: Final = ("for beginners", "in practice", "this week", "explained", "and its history", "at home")
SENTENCES: Final = (
    "Made by hand in small numbers.",
    "Comes in a plain box without plastic.",
    "Holds up well in daily use.",
    "The surface is smooth and easy to clean.",
    "Light enough to carry around.",
    "A quiet design that goes with most things.",
    "Spare parts can be ordered.",
    "Ages well when it is looked after.",
)
STREETS: Final = ("Bridge Street", "Church Lane", "Garden Road", "High Street", "Mill Lane", "Park Row", "Station Road")
LABELS: Final = ("home", "office", "parents", "holiday")
COMPANY_ENDS: Final = ("& Co.", "& Sons", "Ltd", "GmbH", "Studio", "Works")
CURRENCIES: Final = ("CHF", "EUR", "GBP", "JPY", "SEK", "USD")
LANGUAGES: Final = ("cs", "de", "en", "es", "fr", "it", "ja", "pl", "pt", "sv")
STATES: Final = ("active", "active", "active", "paused", "closed")
ROLES: Final = ("designer", "driver", "editor", "engineer", "nurse", "teacher")
UNITS: Final = ("g", "kg", "l", "m", "ml", "piece")
