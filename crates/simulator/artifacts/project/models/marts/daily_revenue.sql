select
    cast(ordered_at as date) as day,
    {{ euros('sum(amount)') }} as revenue
from {{ ref('stg_orders') }}
where status <> 'returned'
group by 1
