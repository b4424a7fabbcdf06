"use strict";
// Before anything is shown: the reader's choice, or what the system prefers.
const theme = {
  chosen: null,
  system: window.matchMedia("(prefers-color-scheme: dark)"),
  dark() { return this.chosen === null ? this.system.matches : this.chosen === "dark"; },
  apply() { document.documentElement.dataset.theme = this.dark() ? "dark" : "light"; },
};
try { theme.chosen = window.localStorage.getItem("netdyn-theme"); } catch { /* no storage */ }
theme.apply();
