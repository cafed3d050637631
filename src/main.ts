/** Entry: read the settings, open one adapter set, start, stop on a signal. */
export {};
