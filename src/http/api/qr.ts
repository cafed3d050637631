/** `GET /api/links/:code/qr.svg` and `…/qr.png`: the short link as a QR code, marked so that scans are told apart. */
import type { Request } from 'express';
import type { Answer } from '../answer.ts';
import { shortUrlOf } from '../link-json.ts';
import { problemOfRefusal } from '../problem-table.ts';
import { qrPng } from '../qr-png.ts';
import { queryParameters, wholeNumberParameter } from '../query-parameters.ts';
import type { Route } from '../route.ts';
import { type ApiContext, linkOfPath } from './context.ts';

export function qrRoutes(context: ApiContext): readonly Route[] {
  return [
    { path: '/api/links/:code/qr.svg', methods: { GET: (request) => svg(context, request) } },
    { path: '/api/links/:code/qr.png', methods: { GET: (request) => png(context, request) } },
  ];
}

const quietZoneModules = 4;

async function svg(context: ApiContext, request: Request): Promise<Answer> {
  queryParameters(request.url, []);
  const text = qrTextOf(context, request);
  const { default: qrcode } = await import('qrcode');
  const body = await qrcode.toString(text, { type: 'svg', errorCorrectionLevel: 'M', margin: quietZoneModules });
  return imageAnswer('image/svg+xml', body);
}

async function png(context: ApiContext, request: Request): Promise<Answer> {
  const { size } = queryParameters(request.url, ['size']);
  const width = wholeNumberParameter('size', size, { min: 128, max: 2048, absent: 512 });
  const text = qrTextOf(context, request);
  const { default: qrcode } = await import('qrcode');
  const { modules } = qrcode.create(text, { errorCorrectionLevel: 'M' });
  const body = await qrPng(modules, quietZoneModules, width);
  return imageAnswer('image/png', body);
}

function qrTextOf(context: ApiContext, request: Request): string {
  const { code, deletedAt } = linkOfPath(context, request);
  if (deletedAt !== null) throw problemOfRefusal({ refusal: 'link-deleted', code, deletedAt });
  return `${shortUrlOf(code, context.baseUrl)}?qr`;
}

function imageAnswer(mediaType: string, body: string | Buffer): Answer {
  return { status: 200, headers: { 'Content-Type': mediaType, 'Cache-Control': 'private, max-age=3600' }, body };
}
