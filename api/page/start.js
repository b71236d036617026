'use strict';

// The document lies one folder up, so that the page also works behind a proxy that puts the service under a prefix.
const page = SwaggerUIBundle({
  url: '../openapi.json',
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  validatorUrl: null,
  onComplete: () => {
    document.title = page.specSelectors.info().get('title');
  },
});
