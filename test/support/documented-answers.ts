/** Holds an answer against the operations of the OpenAPI document: its status, media type and body must be described there. */
import type { Response } from 'supertest';
import { type Operation, operations, problemsByStatus } from '../../src/http/openapi/operations.ts';
import { problemSchema } from '../../src/http/openapi/schemas.ts';
import { problemTypes } from '../../src/http/problem-types.ts';

/** Throws, with what was answered and what is described, when the two differ. */
export function expectDocumented(response: Response): void {
  const { method, path: target } = (response as unknown as { req: { method: string; path: string } }).req;
  const path = target.split('?', 1)[0] ?? '';
  const where = `${method} ${path} answered ${response.status} ${response.get('Content-Type') ?? 'without a body'}`;
  if (!response.get('X-Request-Id')) throw new Error(`${where}, without X-Request-Id`);
  if (!response.get('Content-Security-Policy')) throw new Error(`${where}, without a content security policy`);
  if (response.get('Access-Control-Allow-Origin')) throw new Error(`${where}, with CORS`);

  const ofPath = operations.filter((operation) => patternOf(operation.path).test(path));
  const operation = ofPath.find((candidate) => candidate.method === method.toLowerCase());
  if (operation) expectOfOperation(operation, response, where);
  else expectOtherMethodOrPath(ofPath, response, where);
}

function expectOfOperation(operation: Operation, response: Response, where: string): void {
  const answer = operation.answers.find(({ status }) => status === response.status);
  const mediaType = response.get('Content-Type')?.split(';')[0] ?? '';
  const schema = answer?.content[mediaType];
  if (schema) {
    if (operation.method === 'head') return;
    const parsed = schema.safeParse(mediaType === 'application/json' ? response.body : (response.text ?? ''));
    if (!parsed.success) throw new Error(`${where}, whose body is not as described: ${parsed.error.message}`);
    return;
  }
  if (answer && mediaType === '' && Object.keys(answer.content).length === 0) return;
  const slugs = problemsByStatus(operation).get(response.status);
  if (!slugs) throw new Error(`${where}, which is not described`);
  expectProblem(response, where, slugs, operation.method === 'head');
}

function expectOtherMethodOrPath(ofPath: readonly Operation[], response: Response, where: string): void {
  if (response.status === 204 && response.get('Allow')) return;
  if (ofPath.length > 0 && response.status === 405 && !response.get('Allow'))
    throw new Error(`${where}, without Allow`);
  if (response.status >= 400) expectProblem(response, where, undefined, where.startsWith('HEAD '));
}

function expectProblem(response: Response, where: string, slugs: readonly string[] | undefined, head: boolean): void {
  if (response.get('Content-Type') !== 'application/problem+json') throw new Error(`${where}, which is no problem`);
  if (head) return;
  const problem = problemSchema.parse(response.body);
  const slug = problem.type.split('/').at(-1) ?? '';
  if (!Object.hasOwn(problemTypes, slug)) throw new Error(`${where} with the unknown problem ${slug}`);
  if (slugs && !slugs.includes(slug)) throw new Error(`${where} with the problem ${slug}, which is not described`);
  if (problem.status !== response.status) throw new Error(`${where} with the status ${problem.status} in its body`);
}

/** `{code}` stands for one segment. A path without parameters wins over one with them, as the routes do. */
function patternOf(path: string): RegExp {
  const escaped = path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${escaped}$`);
}
