package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	wfapi "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	argotemplate "github.com/argoproj/argo-workflows/v4/util/template"
	"github.com/argoproj/argo-workflows/v4/workflow/common"
	"github.com/kubeflow/pipelines/api/v2alpha1/go/pipelinespec"
	"github.com/kubeflow/pipelines/backend/src/common/util"
	"github.com/kubeflow/pipelines/backend/src/v2/driver"
	"github.com/kubeflow/pipelines/backend/src/v2/metadata"
)

// outcome is what became of one task, by the path that tests/ir gives it.
type outcome struct {
	State    string          `json:"state"`
	Error    string          `json:"error,omitempty"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Patch    json.RawMessage `json:"podSpecPatch,omitempty"`
	Template json.RawMessage `json:"template,omitempty"` // the executor's, with all but the patch
	Items    *int            `json:"items,omitempty"`
}

// dagRun is a DAG template on its way, node one task of it.
type dagRun struct {
	template  *wfapi.Template
	path      string
	parent    *node
	nodes     map[string]*node
	order     []*node
	iteration bool
}

type node struct {
	task     wfapi.DAGTask // resolved when it starts
	raw      wfapi.DAGTask
	path     string
	phase    string // "", Running, Succeeded, Failed, Skipped, Omitted
	outputs  map[string]string
	runs     []*dagRun
	template *wfapi.Template
}

func (n *node) over() bool { return n.phase != "" && n.phase != "Running" }

// walker is a run of a workflow.
type walker struct {
	ctx       context.Context
	workflow  *wfapi.Workflow
	templates map[string]*wfapi.Template
	globals   common.Parameters
	client    *metadata.Client
	store     *store
	dags      []*dagRun
	waiting   []*node // executors and importers that are to run
	inputs    map[*node]*driven
	outcomes  map[string]*outcome
	done      map[string]done
	largest   int
}

// driven is what the driver of a container has left for its executor.
type driven struct {
	execution *driver.Execution
	component *pipelinespec.ComponentSpec
}

// walk runs a workflow to its end; an error where it gets stuck.
func walk(workflow *wfapi.Workflow, told map[string]done) (*walker, error) {
	kubernetes()
	kept := newStore()
	w := &walker{ctx: util.ArgoContext(), workflow: workflow, templates: map[string]*wfapi.Template{}, store: kept,
		client: metadata.NewTestClient(kept), inputs: map[*node]*driven{}, outcomes: map[string]*outcome{}, done: told}
	w.globals = common.Parameters{"workflow.name": runName, "workflow.namespace": "kubeflow", "workflow.uid": "not-the-run",
		"workflow.creationTimestamp": "2026-01-02T03:04:05Z", "workflow.serviceAccountName": workflow.Spec.ServiceAccountName,
		"workflow.mainEntrypoint": workflow.Spec.Entrypoint, "workflow.status": "Running"}
	for _, one := range workflow.Spec.Arguments.Parameters {
		w.globals["workflow.parameters."+one.Name] = one.Value.String()
	}
	for i := range workflow.Spec.Templates {
		w.templates[workflow.Spec.Templates[i].Name] = &workflow.Spec.Templates[i]
	}
	if _, err := w.start(workflow.Spec.Entrypoint, wfapi.Arguments{}, "", nil); err != nil {
		return w, err
	}
	for {
		moved, err := w.drivers()
		if err != nil {
			return w, err
		}
		if moved {
			continue
		}
		if len(w.waiting) == 0 {
			break
		}
		now := w.waiting
		w.waiting = nil
		for _, one := range now {
			w.execute(one)
		}
		w.settle()
	}
	for _, dag := range w.dags {
		for _, one := range dag.order {
			if one.phase == "" || one.phase == "Running" {
				return w, fmt.Errorf("stuck: %s/%s %s", dag.path, one.raw.Name, one.phase)
			}
		}
	}
	return w, nil
}

// start makes the run of a DAG template.
func (w *walker) start(name string, args wfapi.Arguments, path string, parent *node) (*dagRun, error) {
	found, err := common.ProcessArgs(w.ctx, w.templates[name], &args, w.globals, common.Parameters{}, false, "kubeflow", nil)
	if err != nil {
		return nil, err
	}
	made := &dagRun{template: found, path: path, parent: parent, nodes: map[string]*node{}}
	for _, task := range found.DAG.Tasks {
		one := &node{raw: task}
		made.nodes[task.Name] = one
		made.order = append(made.order, one)
	}
	w.dags = append(w.dags, made)
	return made, nil
}

var succeeded = regexp.MustCompile(`^([^ .]+)\.Succeeded$`)

func join(path, name string) string { return strings.TrimPrefix(path+"/"+name, "/") }

// pathOf is the path of a KFP task, of the Argo node that is its driver or its body.
func pathOf(dag *dagRun, name string) string {
	of := dag.template.Name
	base := strings.TrimSuffix(name, "-driver")
	_, isTask := dag.nodes[base]
	if !isTask {
		base = name
	}
	switch {
	case of == "entrypoint", strings.HasSuffix(of, "system-container-executor"):
		return dag.path
	case base == "iteration" || base == "iteration-iterations" || strings.HasSuffix(name, "iteration-driver") && of != "root" && strings.HasSuffix(of, "-iterator"):
		if strings.HasSuffix(of, "-iterator") {
			return dag.path
		}
	case dag.template.Inputs.GetParameterByName("iteration-index") != nil:
		return dag.path
	}
	return join(dag.path, base)
}

func (w *walker) drivers() (bool, error) {
	moved := false
	for i := 0; i < len(w.dags); i++ {
		dag := w.dags[i]
		for _, one := range dag.order {
			if one.phase != "" {
				continue
			}
			ready, run := true, true
			if one.raw.Depends != "" {
				for _, term := range strings.Split(one.raw.Depends, " && ") {
					found := succeeded.FindStringSubmatch(term)
					if found == nil {
						return false, fmt.Errorf("unknown depends %q", one.raw.Depends)
					}
					before := dag.nodes[found[1]]
					ready = ready && before.over()
					run = run && before.phase == "Succeeded"
				}
			}
			if !ready {
				continue
			}
			moved = true
			one.path = pathOf(dag, one.raw.Name)
			if !run {
				w.end(dag, one, "Omitted", "")
				continue
			}
			if err := w.begin(dag, one); err != nil {
				w.end(dag, one, "Failed", "argo: "+err.Error())
			}
		}
	}
	w.settle()
	return moved, nil
}

func isDriver(name string) bool {
	return name == "system-container-driver" || name == "system-dag-driver"
}

// end notes how a task's node ended.
func (w *walker) end(dag *dagRun, one *node, phase, why string) {
	one.phase = phase
	if isDriver(one.raw.Template) && phase != "Failed" {
		return
	}
	if one.path == "" || strings.HasSuffix(dag.template.Name, "system-container-executor") {
		if why != "" {
			w.note(one.path).Error = why
		}
		return
	}
	told := w.note(one.path)
	states := map[string]string{"Succeeded": "succeeded", "Failed": "failed", "Skipped": "skipped", "Omitted": "not-run"}
	if told.State == "" || told.State == "succeeded" {
		told.State = states[phase]
	}
	if isDriver(one.raw.Template) {
		told.State = "failed"
	}
	if why != "" {
		told.Error = why
	}
}

func (w *walker) note(path string) *outcome {
	if w.outcomes[path] == nil {
		w.outcomes[path] = &outcome{}
	}
	return w.outcomes[path]
}

// scope are the outputs of the tasks before a task.
func scope(dag *dagRun) common.Parameters {
	made := common.Parameters{}
	for name, one := range dag.nodes {
		for key, value := range one.outputs {
			made["tasks."+name+".outputs.parameters."+key] = value
		}
	}
	return made
}

func (w *walker) begin(dag *dagRun, one *node) error {
	known := scope(dag)
	raw := one.raw
	hooks := raw.Hooks
	raw.Hooks = nil
	when := raw.When
	if when != "" {
		text, _ := json.Marshal(when)
		replaced, err := argotemplate.ReplaceStrict(w.ctx, string(text), w.globals.Merge(known), []string{"tasks", "steps"})
		if err != nil {
			return err
		}
		json.Unmarshal([]byte(replaced), &when)
		left, right, found := strings.Cut(when, " != ")
		if !found {
			return fmt.Errorf("unknown when %q", when)
		}
		if left == right {
			w.end(dag, one, "Skipped", "")
			return nil
		}
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	replaced, err := argotemplate.ReplaceStrict(w.ctx, string(text), w.globals.Merge(known), []string{"tasks", "steps"})
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(replaced), &one.task); err != nil {
		return err
	}
	one.task.Hooks = hooks
	one.phase = "Running"
	if one.task.WithSequence != nil {
		count, err := strconv.Atoi(one.task.WithSequence.Count.StrVal)
		if err != nil {
			return err
		}
		w.note(one.path).Items = &count
		for index := range count {
			each := one.task
			each.WithSequence = nil
			text, _ := json.Marshal(each)
			replaced, err := argotemplate.Replace(w.ctx, string(text), map[string]string{"item": strconv.Itoa(index)}, true)
			if err != nil {
				return err
			}
			var expanded wfapi.DAGTask
			if err := json.Unmarshal([]byte(replaced), &expanded); err != nil {
				return err
			}
			made, err := w.start(expanded.Template, expanded.Arguments, join(one.path, fmt.Sprintf("iteration-%d", index)), one)
			if err != nil {
				return err
			}
			made.iteration = true
			one.runs = append(one.runs, made)
		}
		return nil
	}
	target := w.templates[one.task.Template]
	if target.DAG != nil {
		path := one.path
		made, err := w.start(one.task.Template, one.task.Arguments, path, one)
		if err != nil {
			return err
		}
		one.runs = append(one.runs, made)
		return nil
	}
	local := common.Parameters{"retries": "0", "pod.name": "the-driver"}
	processed, err := common.ProcessArgs(w.ctx, target, &one.task.Arguments, w.globals, local, false, "kubeflow", nil)
	if err != nil {
		return err
	}
	one.template = processed
	if isDriver(one.task.Template) {
		w.drive(dag, one, processed)
		return nil
	}
	w.waiting = append(w.waiting, one)
	return nil
}

// settle ends what has nothing left to do, the innermost first.
func (w *walker) settle() {
	for changed := true; changed; {
		changed = false
		for i := len(w.dags) - 1; i >= 0; i-- {
			dag := w.dags[i]
			for _, one := range dag.order {
				if one.phase != "Running" || one.template != nil {
					continue
				}
				over, failed := true, false
				for _, run := range one.runs {
					for _, inner := range run.order {
						over = over && inner.over()
						failed = failed || inner.phase == "Failed"
					}
					if run.iteration && runOver(run) {
						told := w.note(run.path)
						if told.State == "" {
							told.State = map[bool]string{true: "failed", false: "succeeded"}[runFailed(run)]
						}
					}
				}
				if !over {
					continue
				}
				phase := "Succeeded"
				if failed {
					phase = "Failed"
				}
				w.end(dag, one, phase, "")
				changed = true
				if hook, has := one.task.Hooks[wfapi.ExitLifecycleEvent]; has && len(one.runs) > 0 {
					text, _ := json.Marshal(hook)
					replaced, err := argotemplate.Replace(w.ctx, string(text), w.globals.Merge(scope(dag)), true)
					if err == nil {
						json.Unmarshal([]byte(replaced), &hook)
						_, err = w.start(hook.Template, hook.Arguments, dag.path, nil)
					}
					if err != nil {
						w.note(join(dag.path, "hook")).Error = err.Error()
					}
				}
			}
		}
	}
}

func runOver(run *dagRun) bool {
	for _, one := range run.order {
		if !one.over() {
			return false
		}
	}
	return true
}

func runFailed(run *dagRun) bool {
	for _, one := range run.order {
		if one.phase == "Failed" {
			return true
		}
	}
	return false
}

// execute pretends that a step or an importer has run, and enters it in the metadata as KFP's launcher does.
func (w *walker) execute(one *node) {
	dag := w.dagOf(one)
	told := w.note(one.path)
	if strings.HasPrefix(one.task.Template, "system-importer") {
		if err := w.importer(one); err != nil {
			w.end(dag, one, "Failed", "importer: "+err.Error())
			return
		}
		w.end(dag, one, "Succeeded", "")
		return
	}
	text, _ := json.Marshal(one.template)
	told.Template = text
	found := w.inputs[dag.parent]
	if found == nil {
		w.end(dag, one, "Failed", "no driver has left anything")
		return
	}
	failed := w.done[one.path].Failed
	if err := w.launch(found, one.path, failed); err != nil {
		told.Error = "launcher: " + err.Error()
		failed = true
	}
	one.phase = "Succeeded"
	told.State = "succeeded"
	if failed {
		one.phase = "Failed"
		told.State = "failed"
	}
}

func (w *walker) dagOf(one *node) *dagRun {
	for _, dag := range w.dags {
		for _, other := range dag.order {
			if other == one {
				return dag
			}
		}
	}
	return nil
}
