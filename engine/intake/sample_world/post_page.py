"""A sample home as a classified post page, with the marks that the post parser reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from html import escape

from engine.intake.readings import rfc3339
from engine.intake.sample_world.pictures import picture_urls
from engine.intake.sample_world.seen import Seen

_SECTIONS = {
    "apa": "apartments / housing for rent",
    "reo": "real estate - by owner",
    "reb": "real estate - by broker",
}
_WORDS = {
    "Apartment": "apartment",
    "Single Family Residence": "house",
    "Townhouse": "townhouse",
    "Condominium": "condo",
    "Duplex": "duplex",
    "Manufactured Home": "manufactured",
}
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="UTF-8">
<meta name="x-aiqleads-sample" content="invented home, seed world">
<title>{title}</title>
<link rel="canonical" href="{url}">
{position}<script type="application/ld+json" id="ld_posting_data">{facts}</script>
</head><body class="posting">
<ul class="breadcrumbs"><li class="crumb category"><p>\
<a href="/search/{section}">{section_name}</a></p></li></ul>
<div class="reply-info">{reply}</div>
<h1 class="postingtitle"><span class="postingtitletext">{price}\
<span class="housing">/ {rooms}</span>\
<span id="titletextonly">{title}</span><small> ({city})</small></span></h1>
<section class="userbody"><figure class="iw"><div id="thumbs">{thumbs}</div></figure>
<div class="mapAndAttrs">{map_box}
<p class="attrgroup">{bubbles}</p>
<p class="attrgroup">{kind}<br>{attributes}</p></div>
<section id="postingbody">
{body}
</section>
<div class="postinginfos"><p class="postinginfo">post id: {post_id}</p>
<p class="postinginfo reveal">posted: <time class="date timeago" datetime="{posted}">{posted}\
</time></p></div>
</section></body></html>
"""


def post_pages(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """(name, media type, page), one for each sighting."""
    for seen in sightings:
        yield f"{market}/posts/{seen.source_id}.html", "text/html", post_page(seen, as_of=as_of)


def section_of(seen: Seen) -> str:
    if seen.for_rent:
        return "apa"
    return "reo" if seen.by_owner else "reb"


def post_page(seen: Seen, *, as_of: datetime) -> bytes:
    """The post's page, posted `posted_days_ago` days before `as_of`."""
    section = section_of(seen)
    minutes = int(seen.source_id) % 1439
    posted = rfc3339(as_of - timedelta(days=seen.posted_days_ago, minutes=minutes))
    return _PAGE.format(
        title=escape(seen.title),
        url=f"https://{seen.market}.sample.example/{section}/{seen.source_id}.html",
        position=_position(seen),
        facts=_facts(seen),
        section=section,
        section_name=_SECTIONS[section],
        reply=_reply(seen),
        price="" if seen.price is None else f'<span class="price">${seen.price:,}</span> ',
        rooms=_rooms(seen),
        city=escape(seen.city or ""),
        thumbs="".join(f'<a class="thumb" href="{url}"></a>' for url in picture_urls(seen)),
        map_box=_map_box(seen),
        bubbles=_bubbles(seen),
        kind="" if seen.sub_type is None else f"<span>{_WORDS[seen.sub_type]}</span>",
        attributes="<span>rent period: <b>monthly</b></span>" if seen.for_rent else "",
        body=escape(seen.remarks or "").replace("\n", "<br>\n"),
        post_id=seen.source_id,
        posted=posted,
    ).encode()


def _position(seen: Seen) -> str:
    if seen.latitude is None:
        return ""
    return f'<meta name="geo.position" content="{seen.latitude:.6f};{seen.longitude:.6f}">\n'


def _reply(seen: Seen) -> str:
    person = seen.person
    if person is None:
        return ""
    parts = [f'<span class="reply-contact-name">{escape(person.name)}</span>']
    if person.phone is not None:
        parts.append(f'<p class="reply-tel-number">{escape(person.phone)}</p>')
    if person.email is not None:
        email = escape(person.email)
        parts.append(f'<p class="reply-email-address"><a href="mailto:{email}">{email}</a></p>')
    return "\n".join(parts)


def _rooms(seen: Seen) -> str:
    rooms = f"{seen.bedrooms}br - " if seen.bedrooms else ""
    return rooms + (f"{seen.living_area}ft<sup>2</sup> - " if seen.living_area else "")


def _map_box(seen: Seen) -> str:
    shown = ""
    if seen.latitude is not None:
        shown = (
            f'<div id="map" class="viewposting" data-latitude="{seen.latitude:.6f}" '
            f'data-longitude="{seen.longitude:.6f}" data-accuracy="10"></div>'
        )
    if seen.street_line:
        shown += f'<div class="mapaddress">{escape(seen.street_line)}</div>'
    return f'<div class="mapbox">{shown}</div>' if shown else ""


def _bubbles(seen: Seen) -> str:
    counts = []
    if seen.bedrooms is not None:
        counts.append(f"<b>{seen.bedrooms}BR</b>")
    if seen.bathrooms is not None:
        counts.append(f"<b>{seen.bathrooms:g}Ba</b>")
    area = f"<b>{seen.living_area}</b>ft<sup>2</sup>" if seen.living_area is not None else ""
    return "\n".join(
        f'<span class="shared-line-bubble">{each}</span>'
        for each in (" / ".join(counts), area)
        if each
    )


def _facts(seen: Seen) -> str:
    document = {
        "@context": "http://schema.org",
        "@type": "Apartment" if seen.unit else "House",
        "name": seen.title,
        "latitude": None if seen.latitude is None else f"{seen.latitude:.6f}",
        "longitude": None if seen.longitude is None else f"{seen.longitude:.6f}",
        "numberOfBedrooms": None if seen.bedrooms is None else str(seen.bedrooms),
        "numberOfBathroomsTotal": seen.bathrooms,
        "address": {
            "@type": "PostalAddress",
            "streetAddress": seen.street_line,
            "addressLocality": seen.city,
            "addressRegion": seen.state,
            "postalCode": seen.postal_code,
            "addressCountry": "US",
        },
    }
    stated = {key: value for key, value in document.items() if value is not None}
    # A closing tag inside the text must not end the script element.
    return json.dumps(stated).replace("<", "\\u003c")
