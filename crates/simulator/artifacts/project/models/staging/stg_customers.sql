select
    id as customer_id,
    first_name,
    email,
    cast(joined_on as date) as joined_on
from {{ ref('raw_customers') }}
