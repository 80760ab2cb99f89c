import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Teardown } from './test-node.js';

/** A span as OTLP/JSON has it. */
export interface SentSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code?: number; readonly message?: string };
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-argument -- what a peer sends is looked at as it is */

/** A receiver of OTLP over HTTP with JSON, which keeps what it is sent. */
export class Collector {
  readonly url: string;
  readonly spans: SentSpan[] = [];
  readonly logs: { readonly service: string; readonly body: string; readonly severity: string }[] = [];
  readonly metrics: { readonly service: string; readonly name: string; readonly data: any }[] = [];
  readonly headers: Record<string, unknown>[] = [];

  private constructor(url: string) {
    this.url = url;
  }

  static async start(t: Teardown): Promise<Collector> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const collector = new Collector(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      void json(request).then((body) => {
        collector.headers.push(request.headers);
        collector.#take(request.url ?? '', body);
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    t.teardown(
      () =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    );
    return collector;
  }

  named(name: string): SentSpan | undefined {
    return this.spans.find((span) => span.name === name);
  }

  #take(path: string, body: any): void {
    for (const { resource, scopeSpans = [] } of body.resourceSpans ?? [])
      for (const { spans } of scopeSpans)
        for (const span of spans)
          this.spans.push({ ...span, service: serviceOf(resource), attributes: plain(span.attributes) });
    for (const { resource, scopeLogs = [] } of body.resourceLogs ?? [])
      for (const { logRecords } of scopeLogs)
        for (const { body: text, severityText } of logRecords)
          this.logs.push({ service: serviceOf(resource), body: text.stringValue, severity: severityText });
    for (const { resource, scopeMetrics = [] } of body.resourceMetrics ?? [])
      for (const { metrics } of scopeMetrics)
        for (const metric of metrics)
          this.metrics.push({ service: serviceOf(resource), name: metric.name, data: metric });
    if (!/^\/v1\/(traces|logs|metrics)$/.test(path)) throw new Error(`Something was sent to ${path}.`);
  }
}

function serviceOf(resource: any): string {
  return String(plain(resource.attributes)['service.name']);
}

function plain(attributes: readonly Attribute[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
