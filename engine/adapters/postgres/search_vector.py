"""What a search looks for words in: the one expression for leads as they are and as they were."""

# Columns of `leads`, or of a record that has those of a listing.
SEARCH_VECTOR = (
    "to_tsvector('english', coalesce(property_sub_type, '') || ' ' ||"
    " coalesce(property_type, '') || ' ' || coalesce(city, '') || ' ' ||"
    " coalesce(postal_code, '') || ' ' || coalesce(public_remarks, ''))"
)
# Those columns with their types.
SEARCHED = (
    "property_sub_type text, property_type text, city text, postal_code text, public_remarks text"
)
