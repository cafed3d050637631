/** Arithmetic of measurements. */

export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** The smallest number that at least the fraction `q` of all are not above. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/**
 * A row of the table. `asked` is the bound to be kept (`atLeast` or `atMost`), null where a figure is only shown.
 */
export function row(figure, reached, unit, { atLeast = null, atMost = null } = {}) {
  const kept = (atLeast === null || reached >= atLeast) && (atMost === null || reached <= atMost);
  const isAsked = atLeast !== null || atMost !== null;
  return { figure, reached, unit, atLeast, atMost, kept: isAsked ? kept : null };
}
