// The logged models of an experiment, as a table.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { Table } from "../components/table.js";
import { empty, failure, skeleton } from "../components/bits.js";
import { toast } from "../components/overlay.js";
import { metricsOf, hrefOf, nameOf, paramsOf, runOf, stateOf } from "./loggedparts.js";
import * as format from "../format.js";

const COLUMNS = [
  { id: "name", title: "Model", width: 240, sort: true, cell: nameOf },
  { id: "status", title: "Files", width: 100, cell: stateOf },
  { id: "model_type", title: "Type", width: 140, cell: (model) => model.kind },
  { id: "source_run_id", title: "Run", width: 110, cell: (model) => runOf(model.run) },
  { id: "creation_timestamp", title: "Created", width: 130, sort: true, cell: (model) => h("span", { title: format.fullDate(model.created_at) }, format.ago(model.created_at)) },
  { id: "metrics", title: "Metrics", width: 300, cell: metricsOf },
  { id: "params", title: "Params", width: 300, cell: paramsOf },
];

export class LoggedList {
  constructor(experiment, go) {
    this.experiment = experiment;
    this.order = { id: "creation_timestamp", descending: true };
    this.rows = [];
    this.next = null;
    this.el = h("div.fill", skeleton());
    this.abort = new AbortController();
    this.table = new Table({ open: (row) => go(hrefOf(row)), sort: (column) => this.sort(column), near: () => this.more() }, { selectable: false, label: "Logged models" });
    this.load();
  }

  destroy() {
    this.abort.abort();
    this.table.destroy();
  }

  sort(column) {
    this.order = { id: column.id, descending: this.order.id === column.id ? !this.order.descending : column.id !== "name" };
    this.load();
  }

  query() {
    return { experiments: [this.experiment], order_by: [`${this.order.id} ${this.order.descending ? "DESC" : "ASC"}`], limit: 200 };
  }

  async load() {
    this.abort.abort();
    const abort = this.abort = new AbortController();
    try {
      const answer = await api.loggedModels(this.query(), abort.signal);
      this.rows = answer.models;
      this.next = answer.next;
      this.show();
    } catch (error) {
      if (error.name !== "AbortError") fill(this.el, failure(error, () => this.load()));
    }
  }

  async more() {
    if (!this.next) return;
    const { next: after, abort } = this;
    this.next = null;
    try {
      const answer = await api.loggedModels({ ...this.query(), after }, abort.signal);
      this.rows = this.rows.concat(answer.models);
      this.next = answer.next;
      this.show();
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "error");
    }
  }

  show() {
    if (!this.rows.length) {
      fill(this.el, empty("model", "No logged models", h("p", "What a training logs as a model is shown here."), h("pre.code", 'mlflow.sklearn.log_model(model, name="model")')));
      return;
    }
    if (!this.table.el.isConnected) fill(this.el, this.table.el);
    this.table.setColumns(COLUMNS, this.order);
    this.table.setRows(this.rows);
  }

  key(event) {
    this.table.key(event);
  }
}
