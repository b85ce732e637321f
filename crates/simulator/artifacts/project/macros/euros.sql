{% macro euros(expression) %}round(coalesce({{ expression }}, 0), 2){% endmacro %}
