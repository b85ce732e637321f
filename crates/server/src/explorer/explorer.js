// Starts Swagger UI on the gateway's document. The key stays in the tab's session storage, which ends with the tab.
(function () {
  const SCHEME = "gateway_key";
  const STORED = "dbt-gateway-key";
  // The request of the examples: it stands for the latest request of this page that has a row in the log. Reads of the
  // gateway's own records have none.
  const EXAMPLE_REQUEST = "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b";
  const WITHOUT_ROW = /^\/(budget|request-logs|api-keys|credentials|healthz|readyz|metrics|openapi\.json)?(\/|$)/;
  let latest = null;

  // Storage may be forbidden; the key is then kept until the page is loaded again.
  function remember(key) {
    try {
      if (key) sessionStorage.setItem(STORED, key);
      else sessionStorage.removeItem(STORED);
    } catch {}
  }

  function remembered() {
    try {
      return sessionStorage.getItem(STORED);
    } catch {
      return null;
    }
  }

  const keepsKey = () => ({
    statePlugins: {
      auth: {
        wrapActions: {
          authorize: (original) => (payload) => {
            remember(payload[SCHEME] && payload[SCHEME].value);
            return original(payload);
          },
          logout: (original) => (payload) => {
            remember(null);
            return original(payload);
          },
        },
      },
    },
  });

  const methods = ["get", "post", "patch", "put", "delete"];

  const ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#explorer",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    // By default Swagger UI sends the name of any host but localhost to a validator on the internet.
    validatorUrl: "none",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [keepsKey],
    operationsSorter: (a, b) =>
      a.get("path").localeCompare(b.get("path")) || methods.indexOf(a.get("method")) - methods.indexOf(b.get("method")),
    requestInterceptor: (request) => {
      if (latest) request.url = request.url.replace(EXAMPLE_REQUEST, latest);
      return request;
    },
    responseInterceptor: (response) => {
      const id = response.headers && response.headers["x-request-id"];
      if (id && !WITHOUT_ROW.test(new URL(response.url, location.href).pathname)) latest = id;
      return response;
    },
    onComplete: () => {
      const key = remembered();
      if (key) ui.preauthorizeApiKey(SCHEME, key);
    },
  });
})();
