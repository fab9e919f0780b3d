"""A sample home as a classified post page, with the marks that the post parser reads."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from html import escape

from engine.intake.readings import rfc3339
from engine.intake.sample_world.home import Home
from engine.intake.sample_world.prose import remarks_of, street_line, title_of

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
<meta name="geo.position" content="{latitude:.6f};{longitude:.6f}">
<script type="application/ld+json" id="ld_posting_data">{facts}</script>
</head><body class="posting">
<ul class="breadcrumbs"><li class="crumb category"><p>\
<a href="/search/{section}">{section_name}</a></p></li></ul>
<div class="reply-info"><span class="reply-contact-name">{name}</span>
<p class="reply-tel-number">{phone}</p>
<p class="reply-email-address"><a href="mailto:{email}">{email}</a></p></div>
<h1 class="postingtitle"><span class="postingtitletext"><span class="price">${price:,}</span> \
<span class="housing">/ {rooms}{area}ft<sup>2</sup> - </span>\
<span id="titletextonly">{title}</span><small> ({city})</small></span></h1>
<section class="userbody"><figure class="iw"><div id="thumbs">{thumbs}</div></figure>
<div class="mapAndAttrs"><div class="mapbox">
<div id="map" class="viewposting" data-latitude="{latitude:.6f}" \
data-longitude="{longitude:.6f}" data-accuracy="10"></div>
<div class="mapaddress">{street}</div></div>
<p class="attrgroup"><span class="shared-line-bubble"><b>{beds}BR</b> / <b>{baths}Ba</b></span>
<span class="shared-line-bubble"><b>{area}</b>ft<sup>2</sup></span></p>
<p class="attrgroup"><span>{kind}</span><br>{attributes}</p></div>
<section id="postingbody">
{body}
</section>
<div class="postinginfos"><p class="postinginfo">post id: {post_id}</p>
<p class="postinginfo reveal">posted: <time class="date timeago" datetime="{posted}">{posted}\
</time></p></div>
</section></body></html>
"""


def section_of(home: Home) -> str:
    if home.for_rent:
        return "apa"
    return "reo" if home.for_sale_by_owner else "reb"


def post_page(home: Home, post_id: str, *, as_of: datetime) -> bytes:
    """The page of one of the home's posts, posted `days_listed` days before `as_of`."""
    copy = int(post_id) % 10
    section = section_of(home)
    street = _posted_street(home)
    posted = rfc3339(as_of - timedelta(days=home.days_listed, minutes=home.index % 1440 - copy))
    return _PAGE.format(
        title=escape(title_of(home)),
        url=f"https://{home.market}.sample.example/{section}/{post_id}.html",
        latitude=home.latitude,
        longitude=home.longitude,
        facts=_facts(home, street),
        section=section,
        section_name=_SECTIONS[section],
        name=escape(home.person.name),
        phone=escape(home.person.phone),
        email=escape(home.person.email),
        price=home.price,
        rooms=f"{home.bedrooms}br - " if home.bedrooms else "",
        area=home.living_area,
        city=escape(home.city),
        thumbs='<a class="thumb" href="#"></a>' * (1 + home.text_seed % 9),
        street=escape(street),
        beds=home.bedrooms,
        baths=f"{home.bathrooms:g}",
        kind=_WORDS[home.sub_type],
        attributes="<span>rent period: <b>monthly</b></span>" if home.for_rent else "",
        body=escape(remarks_of(home)).replace("\n", "<br>\n"),
        post_id=post_id,
        posted=posted,
    ).encode()


def _posted_street(home: Home) -> str:
    """Some sellers leave the unit out."""
    line = street_line(home, style=home.text_seed % 4)
    if home.unit is not None and home.text_seed % 5 < 2:
        return home.street
    return line


def _facts(home: Home, street: str) -> str:
    document = {
        "@context": "http://schema.org",
        "@type": "Apartment" if home.unit else "House",
        "name": title_of(home),
        "latitude": f"{home.latitude:.6f}",
        "longitude": f"{home.longitude:.6f}",
        "numberOfBedrooms": str(home.bedrooms),
        "numberOfBathroomsTotal": home.bathrooms,
        "address": {
            "@type": "PostalAddress",
            "streetAddress": street,
            "addressLocality": home.city,
            "addressRegion": home.state,
            "postalCode": home.postal_code,
            "addressCountry": "US",
        },
    }
    # A closing tag inside the text must not end the script element.
    return json.dumps(document).replace("<", "\\u003c")
