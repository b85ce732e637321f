select
    c.customer_id,
    c.first_name,
    count(o.order_id) as orders,
    round(coalesce(sum(o.amount), 0), 2) as lifetime_value
from "warehouse"."analytics"."stg_customers" c
left join "warehouse"."analytics"."stg_orders" o using (customer_id)
group by 1, 2