// The one place that knows which libraries draw: everything else imports from here.
import { Fragment, h, render } from "../vendor/preact.js";
import {
  useCallback, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

/** Tagged template: html`<p class=${name}>…</p>`. */
export const html = htm.bind(h);
export {
  Fragment, h, render, useCallback, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
};

/** What the server wrote into the page for its script. */
export const pageData = JSON.parse(document.getElementById("page-data")?.textContent ?? "{}");
