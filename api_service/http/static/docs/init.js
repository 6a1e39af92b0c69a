// Reads nothing from the address bar: a link must not be able to make this page show somebody else's API.
const here = document.currentScript.dataset;
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: here.openapi,
    dom_id: "#ui",
    deepLinking: false,
    queryConfigEnabled: false,
    validatorUrl: null,
    tryItOutEnabled: true,
  });
});
