import { readFileSync } from 'node:fs';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { asyncApiDocument } from '../../protocol/asyncapi.ts';
import type { Clock } from '../../protocol/host/clock.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import type { Logger } from '../../protocol/host/log.ts';
import { nation } from '../core/regions.ts';
import type { LiveBoard } from '../ingest/live-board.ts';
import type { Store } from '../store/store.ts';
import { weightsOf } from './accept.ts';
import { FixedBodies } from './fixed-bodies.ts';
import { historyPoints, historyQuerySchema, historyRange, historyText, unionMetrics } from './history.ts';
import { isLocalClient } from './local-client.ts';
import { chooseEncoding, RegionBodies } from './region-bodies.ts';
import type { StatusBoard } from './status-board.ts';
import { type Stream, streamHeaders } from './stream.ts';
import { discovery, feedVersion, stationsView, summaryView } from './views.ts';

export type HttpConfig = { host: string; port: number; metrics: 'local' | 'public' | 'off'; licence: string };

export type HttpIo = {
  clock: Clock;
  log: Logger;
  store: Store;
  board: StatusBoard;
  live: LiveBoard;
  stream: Stream;
  metrics: Registry;
  /** Whether the cloud does its work, and what it lacks where it does not. */
  health: () => { ok: boolean; problems: string[] };
};

/** Longer than any request line: a parameter that is too long is answered like any other. */
const maxParamLength = 64 * 1024;
const commonHeaders = { 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' } as const;
const statusCacheControl = 'public, max-age=5, stale-while-revalidate=5, stale-if-error=60';
const staticCacheControl = 'public, max-age=3600';
const page = readFileSync(new URL('../web/index.html', import.meta.url));

const historyTypes = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
} as const;

const regionParams = z.object({ adcode: z.string().regex(/^\d{6}$/, 'expected six digits') });
const streamQuery = z.object({
  region: z
    .string()
    .regex(/^\d{6}$/, 'expected six digits')
    .default(nation),
  last_event_id: z.string().max(64).optional(),
});

export type HttpServer = { readonly port: number; close: () => Promise<void> };

/**
 * Starts the public feed.
 *
 * @throws ConfigError where the port is taken
 */
export type StartHttp = (config: HttpConfig, io: HttpIo) => Promise<HttpServer>;

export const startHttp: StartHttp = async (config, io) => {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength },
    frameworkErrors: (_error, _request, reply) =>
      problem(reply.headers(commonHeaders), 400, 'bad_request', 'path: expected percent-encoded UTF-8'),
  });
  app.addHook('onSend', async (_request, reply) => void reply.headers(commonHeaders));
  app.setNotFoundHandler((request, reply) =>
    problem(reply, 404, 'not_found', `no ${request.url.split('?')[0]} here: /v1/feed.json lists the feeds`),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return problem(reply, status, 'bad_request', error.message);
    io.log.error({ err: error, path: request.url.split('?')[0] }, 'request failed');
    return problem(reply, status, 'internal', 'the feed failed; try again');
  });
  feedRoutes(app, config, io);
  historyRoute(app, io);
  streamRoute(app, io);
  operationRoutes(app, config, io);
  await listen(app, config);
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  return { port, close: () => app.close() };
};

function feedRoutes(app: FastifyInstance, { licence }: HttpConfig, { board }: HttpIo): void {
  const bodies = new RegionBodies(board);
  const fixed = new FixedBodies(board);
  function sendFixed(request: FastifyRequest, reply: FastifyReply, path: string, view: () => object): FastifyReply {
    const { tag, raw } = fixed.get(path, view);
    if (isCurrent(request, reply, tag, staticCacheControl)) return reply.code(304).send();
    return reply.type('application/json; charset=utf-8').send(raw);
  }
  app.get('/', (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page),
  );
  app.get('/v1/feed.json', (request, reply) => sendFixed(request, reply, 'feed', () => discovery(board, licence)));
  app.get('/v1/summary.json', (request, reply) => {
    if (isCurrent(request, reply, `${board.epoch}-${board.seq}`, statusCacheControl)) return reply.code(304).send();
    return reply.send(summaryView(board));
  });
  app.get('/v1/regions/:adcode/stations.json', (request, reply) => {
    const { adcode } = parsed(regionParams, request.params);
    if (board.regionSeq(adcode) === null) return unknownRegion(reply, adcode);
    return sendFixed(request, reply, adcode, () => stationsView(board, adcode));
  });
  app.get('/v1/regions/:adcode/status.json', async (request, reply) => {
    const { adcode } = parsed(regionParams, request.params);
    const seq = board.regionSeq(adcode);
    if (seq === null) return unknownRegion(reply, adcode);
    reply.header('vary', 'accept-encoding');
    if (isCurrent(request, reply, `${board.epoch}-${seq}`, statusCacheControl)) return reply.code(304).send();
    const encoding = chooseEncoding(request.headers['accept-encoding']);
    const body = await bodies.get(adcode, encoding);
    if (encoding !== 'identity') reply.header('content-encoding', encoding);
    return reply.type('application/json; charset=utf-8').send(body);
  });
}

function historyRoute(app: FastifyInstance, { board, live, store, clock }: HttpIo): void {
  app.get('/v1/stations/:id/history', async (request, reply) => {
    const { id } = parsed(z.object({ id: z.string() }), request.params);
    const station = board.station(id);
    if (!station) return problem(reply, 404, 'unknown_station', `no station ${id.slice(0, 48)}`);
    const query = parsed(historyQuerySchema, request.query);
    if ((unionMetrics as readonly string[]).includes(query.metric)) {
      return problem(
        reply.header('www-authenticate', 'Bearer'),
        401,
        'sign_in_needed',
        `${query.metric} tells how many people are inside: it is the union's, not public`,
      );
    }
    const nowMs = clock.wallMs();
    const range = historyRange(query, station.timeZone, nowMs);
    if (typeof range === 'string') return problem(reply, 400, 'bad_request', range);
    const history = await store.history(id, range.fromMs, range.toMs);
    const points = historyPoints(history, range, live.get(id)?.beatAt ?? null, nowMs);
    const format = query.format ?? acceptedFormat(request.headers.accept);
    reply.header('cache-control', 'public, max-age=60').header('vary', 'accept').type(historyTypes[format]);
    if (format !== 'json') return reply.send(historyText(points, range.metric, format));
    return reply.send({ version: feedVersion, station: id, metric: range.metric, step: query.step, points });
  });
}

function acceptedFormat(accept: string | undefined): keyof typeof historyTypes {
  const weights = weightsOf(accept);
  const weight = (type: string): number =>
    weights.get(type) ?? weights.get(type.replace(/\/.*/, '/*')) ?? weights.get('*/*') ?? 0;
  const [json, csv, ndjson] = [weight('application/json'), weight('text/csv'), weight('application/x-ndjson')];
  if (csv > json && csv >= ndjson) return 'csv';
  return ndjson > json ? 'ndjson' : 'json';
}

function streamRoute(app: FastifyInstance, { board, stream }: HttpIo): void {
  app.get('/v1/stream', (request, reply) => {
    const query = parsed(streamQuery, request.query);
    if (board.regionSeq(query.region) === null) return unknownRegion(reply, query.region);
    if (request.method === 'HEAD') return reply.headers(streamHeaders).send();
    if (!stream.hasRoom())
      return problem(
        reply.header('retry-after', '10'),
        503,
        'too_many_clients',
        'too many followers: poll status.json instead',
      );
    const header = request.headers['last-event-id'];
    reply.hijack();
    stream.follow(reply.raw, query.region, typeof header === 'string' ? header : query.last_event_id);
  });
}

function operationRoutes(app: FastifyInstance, config: HttpConfig, { health, metrics }: HttpIo): void {
  app.get('/healthz', (_request, reply) => {
    const { ok, problems } = health();
    return reply
      .code(ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ ok, problems });
  });
  if (config.metrics !== 'off')
    app.get('/metrics', async (request, reply) => {
      if (config.metrics === 'local' && !isLocalClient(request.raw))
        return problem(
          reply,
          403,
          'local_only',
          'metrics are for the operator: scrape from the local network, not through a proxy',
        );
      return reply.type(metrics.contentType).send(await metrics.metrics());
    });
  app.get('/asyncapi.json', (_request, reply) =>
    reply.header('cache-control', staticCacheControl).send(asyncApiDocument()),
  );
}

/** Sets the strong ETag; true where the client has the same body. */
function isCurrent(request: FastifyRequest, reply: FastifyReply, tag: string, cacheControl: string): boolean {
  const etag = `"${tag}"`;
  reply.header('etag', etag).header('cache-control', cacheControl);
  const held = request.headers['if-none-match'];
  return held !== undefined && (held === '*' || held.split(',').some((one) => one.trim().replace(/^W\//, '') === etag));
}

/** @throws Error with status 400 that names the field, what was expected and what was found */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const text = result.error.issues.map((issue) => `${issue.path.join('.') || 'query'}: ${issue.message}`).join('; ');
  throw Object.assign(new Error(text), { statusCode: 400 });
}

function unknownRegion(reply: FastifyReply, adcode: string): FastifyReply {
  return problem(reply, 404, 'unknown_region', `no station in region ${adcode}`);
}

function problem(reply: FastifyReply, status: number, error: string, message: string): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').send({ error, message });
}

async function listen(app: FastifyInstance, { host, port }: HttpConfig): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const taken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
    const text = taken
      ? `port ${port} is taken: choose another with --http-port`
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new ConfigError('http', [text], { cause });
  }
}
