"""Where the sample world stands: neighbourhoods with plausible streets. No home here is real."""

from __future__ import annotations

from typing import NamedTuple

from engine.market_directory import Market


class Neighbourhood(NamedTuple):
    """A ZIP area: its middle in degrees, and streets as USPS abbreviates them."""

    postal_code: str
    city: str
    latitude: float
    longitude: float
    streets: tuple[str, ...]


def _area(
    postal_code: str, city: str, latitude: float, longitude: float, streets: str
) -> Neighbourhood:
    names = tuple(name.strip() for name in streets.split(","))
    return Neighbourhood(postal_code, city, latitude, longitude, names)


# fmt: off
NEIGHBOURHOODS: dict[str, tuple[Neighbourhood, ...]] = {
    "las-vegas": (
        _area("89117", "Las Vegas", 36.140, -115.275,
              "Amber Mesa Dr, Cimarron Wash Ave, Desert Lantern Ct, Gilded Sage Ln, Sundial Peak "
              "St"),
        _area("89128", "Las Vegas", 36.200, -115.265,
              "Buffalo Thistle Dr, Coyote Song Way, Pinnacle Shade Ave, Silver Mallow Ct, W Lake "
              "Mirage Blvd"),
        _area("89108", "Las Vegas", 36.205, -115.220,
              "Alta Verbena Ave, Jade Canyon Cir, Painted Burro Dr, Smoke Tree Ln, N Torrey Bluff "
              "Dr"),
        _area("89110", "Las Vegas", 36.175, -115.065,
              "Bonanza Wren Way, Lava Rock Ave, Marion Sands Dr, Sunrise Basin Ct, E Owens Quarry "
              "Ave"),
        _area("89121", "Las Vegas", 36.120, -115.090,
              "Desert Marigold Ln, Emerald Wick St, Mojave Quail Dr, Pecos Willow Ave, S Sandhill "
              "Crest Rd"),
        _area("89123", "Las Vegas", 36.035, -115.145,
              "Bermuda Lark Dr, Eldorado Fern Ct, Pebble Harbor Ave, Silverado Plum St, Windmill "
              "Rye Ln"),
        _area("89139", "Las Vegas", 36.035, -115.210,
              "Blue Diamond Finch Ave, Cactus Drum Ct, Dean Cedar Way, Golden Rein Dr, Oleta Mist "
              "St"),
        _area("89148", "Las Vegas", 36.065, -115.290,
              "Fort Apache Mint Dr, Hualapai Dusk Way, Russell Fox Ave, Spanish Juniper Ct, "
              "Tropic Ledge Ln"),
        _area("89031", "North Las Vegas", 36.260, -115.170,
              "Ann Larkspur Ave, Camino Sorrel Dr, Centennial Plover Pkwy, Revere Oriole St, W "
              "Craig Ember Rd"),
        _area("89084", "North Las Vegas", 36.295, -115.150,
              "Aviary Crown Way, Decatur Heron Dr, Deer Sprig Ave, Elkhorn Cypress Ct, Grand Teal "
              "St"),
        _area("89014", "Henderson", 36.060, -115.055,
              "Arroyo Candle Dr, Green Ibis Pkwy, Stephanie Cove St, Sunset Barley Way, Whitney "
              "Acorn Ave"),
        _area("89052", "Henderson", 36.000, -115.100,
              "Anthem Lupine Dr, Eastern Pearl Ave, Horizon Cairn Pkwy, Seven Quartz St, Coronado "
              "Thrush Way"),
    ),
    "dallas": (
        _area("75206", "Dallas", 32.831, -96.769,
              "Birchard Ave, Greenvale St, Matilda Oak Dr, Monticrest Ave, Vanderlin St"),
        _area("75214", "Dallas", 32.825, -96.750,
              "Abrams Fern Rd, Gaston Heron Ave, Lakeshore Pecan Dr, Tokaville Dr, Velasca Ave"),
        _area("75218", "Dallas", 32.846, -96.697,
              "Buckner Thrush Ln, Easton Willow Rd, Garland Elm Dr, Lochview Cir, Peavy Brook Rd"),
        _area("75243", "Dallas", 32.912, -96.728,
              "Audelia Maple Rd, Forest Finch Ln, Moss Larch Trl, Skillman Ivy Dr, Whitehorn Dr"),
        _area("75208", "Dallas", 32.750, -96.838,
              "Colorado Aspen Blvd, Edgefield Moss Ave, Kessler Reed Dr, N Tyler Grove St, "
              "Winnetka Plum Ave"),
        _area("75228", "Dallas", 32.825, -96.680,
              "Casa Bluebell Dr, Ferguson Hawk Rd, Highland Dove Ln, Lakeland Cedar Dr, San "
              "Benita Way"),
        _area("76107", "Fort Worth", 32.740, -97.385,
              "Birchman Wren Ave, Crestline Olive Rd, El Campo Rosa Ave, Hulen Sparrow St, W "
              "Lovell Elm Ave"),
        _area("76137", "Fort Worth", 32.865, -97.290,
              "Basswood Lark Blvd, Fossil Heath Dr, Park Vista Wren Cir, Prairie Tansy Ln, Summer "
              "Teal Dr"),
        _area("75023", "Plano", 33.055, -96.735,
              "Alma Clover Dr, Custer Meadow Rd, Legacy Finch Dr, Mission Sorrel Rd, Spring Rye "
              "Pkwy"),
        _area("75035", "Frisco", 33.155, -96.770,
              "Coit Primrose Rd, Eldorado Swift Pkwy, Hillcrest Aster Rd, Independence Oak Pkwy, "
              "Rolater Fern Rd"),
        _area("76010", "Arlington", 32.720, -97.085,
              "Arkansas Reed Ln, Browning Dove Dr, Collins Barley St, E Park Hawthorn Dr, Sherry "
              "Lark St"),
        _area("75061", "Irving", 32.825, -96.960,
              "Belt Larkspur Rd, Grauwyler Fox Rd, O Connor Elm Blvd, Shady Wick Dr, Story Willow "
              "Rd"),
    ),
    "austin": (
        _area("78704", "Austin", 30.245, -97.765,
              "Bouldin Fern Ave, Kinney Oak Ave, Mary Heron St, S Congress Elm Ave, Treadwell "
              "Reed St"),
        _area("78745", "Austin", 30.207, -97.795,
              "Cherry Finch Ln, Manchaca Wren Rd, Stassney Plum Ln, Westgate Moss Blvd, William "
              "Cannon Ivy Dr"),
        _area("78741", "Austin", 30.232, -97.715,
              "Burton Cedar Dr, Elmont Thrush Dr, Oltorf Rye St, Pleasant Larch Ln, Wickersham "
              "Dove Ln"),
        _area("78702", "Austin", 30.262, -97.718,
              "Chicon Aster St, E 7th Quarry St, Haskell Swift St, Navasota Olive St, Rosewood "
              "Teal Ave"),
        _area("78757", "Austin", 30.352, -97.732,
              "Arroyo Clover Rd, Burnet Sparrow Rd, Daugherty Elm St, Justin Primrose Ln, Woodrow "
              "Maple Ave"),
        _area("78758", "Austin", 30.385, -97.705,
              "Braker Hawthorn Ln, Gracy Fox Farms Ln, Kramer Willow Ln, Metric Lark Blvd, "
              "Rutland Sorrel Dr"),
        _area("78748", "Austin", 30.170, -97.825,
              "Bilbrook Heath Pl, Crownspoint Fern Dr, Slaughter Oak Ln, Sweetwater Ivy Riv, Wild "
              "Tansy Dr"),
        _area("78753", "Austin", 30.380, -97.675,
              "Applegate Finch Dr, Blue Wick Ln, Dessau Larch Rd, E Rundberg Elm Ln, Walnut Heron "
              "Dr"),
        _area("78664", "Round Rock", 30.505, -97.650,
              "Deerfoot Rye Dr, Gattis Wren School Rd, Mays Cedar St, Red Bud Thrush Ln, Sunrise "
              "Moss Rd"),
        _area("78613", "Cedar Park", 30.505, -97.825,
              "Bagdad Aster Rd, Cypress Dove Creek Rd, Discovery Plum Blvd, Lakeline Reed Blvd, "
              "Park St Clover Ave"),
        _area("78660", "Pflugerville", 30.440, -97.610,
              "Dessau Teal Rd, Grand Avenue Swift Pkwy, Heatherwilde Olive Blvd, Pecan Maple St, "
              "Settlers Fox Vly"),
        _area("78641", "Leander", 30.580, -97.855,
              "Crystal Falls Lark Pkwy, Mason Sparrow St, Old Hawthorn Rd, Sonny Willow Dr, W "
              "South Primrose St"),
    ),
    "phoenix": (
        _area("85016", "Phoenix", 33.502, -112.030,
              "E Campbell Quail Ave, E Glenrosa Sage Ave, N 22nd Ocotillo Pl, N 24th Verbena St, "
              "E Turney Wren Ave"),
        _area("85032", "Phoenix", 33.620, -112.005,
              "E Acoma Lark Dr, E Bell Finch Rd, E Greenway Mallow Ln, N 36th Cholla Way, N Cave "
              "Creek Ember Rd"),
        _area("85051", "Phoenix", 33.560, -112.135,
              "N 39th Palo Ave, N 43rd Thistle Dr, W Butler Fern Dr, W Harmont Dove Dr, W Ruth "
              "Sorrel Ave"),
        _area("85041", "Phoenix", 33.390, -112.095,
              "S 19th Mesquite Ln, S 27th Cactus Dr, W Baseline Reed Rd, W Minton Teal St, W "
              "Vineyard Rye Rd"),
        _area("85043", "Phoenix", 33.440, -112.180,
              "N 63rd Cedar Ln, S 67th Willow Dr, W Buckeye Moss Rd, W Lower Fox Rd, W Sherman "
              "Plum St"),
        _area("85281", "Tempe", 33.425, -111.930,
              "E Apache Heron Blvd, E Lemon Aster St, S Mill Olive Ave, S Rural Thrush Rd, W "
              "University Elm Dr"),
        _area("85204", "Mesa", 33.395, -111.790,
              "E Broadway Larch Rd, E Holmes Swift Ave, E Southern Ivy Ave, S Gilbert Heath Rd, S "
              "Stapley Wick Dr"),
        _area("85225", "Chandler", 33.315, -111.830,
              "E Chandler Clover Blvd, E Galveston Primrose St, N Arizona Maple Ave, N Cooper "
              "Tansy Rd, W Ray Oak Rd"),
        _area("85234", "Gilbert", 33.350, -111.745,
              "E Elliot Sparrow Rd, E Guadalupe Hawthorn Rd, E Juniper Barley Ave, N Cooper "
              "Plover Rd, N Lindsay Acorn Rd"),
        _area("85251", "Scottsdale", 33.495, -111.920,
              "E Osborn Candle Rd, E Thomas Jade Rd, N 68th Pearl St, N 74th Lantern Pl, N Miller "
              "Cairn Rd"),
        _area("85301", "Glendale", 33.535, -112.180,
              "N 51st Amber Ave, N 59th Sundial Dr, W Glendale Quartz Ave, W Maryland Emerald "
              "Ave, W Orangewood Silver Dr"),
        _area("85345", "Peoria", 33.580, -112.240,
              "N 79th Coyote Ln, N 83rd Burro Dr, W Cholla Mesa St, W Olive Basin Ave, W Peoria "
              "Canyon Ave"),
    ),
}
# fmt: on

_STREETS_ELSEWHERE = (
    "Alder Finch Ave", "Birch Heron St", "Cedar Lark Dr", "Dogwood Wren Ln", "Elm Plover Ct",
    "Fir Thrush Way", "Gum Swift Rd", "Hazel Dove Pl", "Ivy Teal Cir", "Juniper Fox Trl",
)  # fmt: skip


def neighbourhoods_of(market: Market) -> tuple[Neighbourhood, ...]:
    """The market's own, or for a market without any nine around its centre."""
    known = NEIGHBOURHOODS.get(market.slug)
    if known is not None:
        return known
    west, south, east, north = market.bbox
    latitude, longitude = market.center
    height, width = (north - south) / 8, (east - west) / 8
    return tuple(
        Neighbourhood(
            postal_code=f"000{number:02d}",
            city=market.name,
            latitude=min(north - height, max(south + height, latitude + row * height)),
            longitude=min(east - width, max(west + width, longitude + column * width)),
            streets=tuple(
                f"{name.split()[0]} {number} {' '.join(name.split()[1:])}"
                for name in _STREETS_ELSEWHERE[:5]
            ),
        )
        for number, (row, column) in enumerate(
            ((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)), start=1
        )
    )
