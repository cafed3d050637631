/** The comparison could not be made. The message says why and what to do; it says nothing about the numbers. */
export class NotPossible extends Error {
  name = 'NotPossible';
}
