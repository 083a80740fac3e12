package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	wfapi "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v4/workflow/packer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// measured is the size of the workflow at the end of its run, as Argo writes it to Kubernetes, and whether Argo refuses to.
func (w *walker) measured() (whole, kept int, refused string) {
	full := w.workflow.DeepCopy()
	full.Name, full.UID = runName, "0c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
	full.Status.Nodes = wfapi.Nodes{}
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	add := func(name, display, template, scope, boundary string, kind wfapi.NodeType, inputs wfapi.Inputs, outputs *wfapi.Outputs, children []string) string {
		hash := fnv.New32a()
		hash.Write([]byte(name))
		id := fmt.Sprintf("%s-%d", runName, hash.Sum32())
		one := wfapi.NodeStatus{ID: id, Name: name, DisplayName: display, Type: kind, TemplateName: template, TemplateScope: scope,
			Phase: wfapi.NodeSucceeded, BoundaryID: boundary, StartedAt: now, FinishedAt: now, Progress: "1/1", Children: children,
			ResourcesDuration: wfapi.ResourcesDuration{"cpu": 5, "memory": 30}, NodeFlag: &wfapi.NodeFlag{Retried: true}, Outputs: outputs}
		if inputs.HasInputs() {
			one.Inputs = &inputs
		}
		if kind == wfapi.NodeTypePod {
			one.HostNodeName = "a-node"
			synced := true
			one.TaskResultSynced = &synced
		}
		full.Status.Nodes[id] = one
		return id
	}
	for number, dag := range w.dags {
		name := fmt.Sprintf("%s.%s.%d", runName, dag.path, number)
		var ids []string
		for _, one := range dag.order {
			if one.template == nil && len(one.runs) == 0 {
				ids = append(ids, add(name+"."+one.raw.Name, one.raw.Name, one.raw.Template, "local/"+runName, "x", wfapi.NodeTypeSkipped, wfapi.Inputs{}, nil, nil))
				continue
			}
			if one.template == nil {
				continue
			}
			outputs := &wfapi.Outputs{}
			for key, value := range one.outputs {
				outputs.Parameters = append(outputs.Parameters, wfapi.Parameter{Name: key, Value: wfapi.AnyStringPtr(value), ValueFrom: &wfapi.ValueFrom{Path: "/tmp/outputs/" + key}})
			}
			zero := "0"
			outputs.ExitCode = &zero
			s3 := wfapi.S3Artifact{Key: "private-artifacts/kubeflow/" + runName + "/2026/01/02/" + runName + "-system-container-driver-1234567890/main.log"}
			outputs.Artifacts = wfapi.Artifacts{{Name: "main-logs", ArtifactLocation: wfapi.ArtifactLocation{S3: &s3}}}
			inner := add(name+"."+one.raw.Name+"(0)", one.raw.Name+"(0)", one.raw.Template, "local/"+runName, "x", wfapi.NodeTypePod, one.template.Inputs, outputs, nil)
			ids = append(ids, add(name+"."+one.raw.Name, one.raw.Name, one.raw.Template, "local/"+runName, "x", wfapi.NodeTypeRetry, one.template.Inputs, outputs, []string{inner}))
		}
		inner := add(name+"(0)", "x(0)", dag.template.Name, "local/"+runName, "x", wfapi.NodeTypeDAG, dag.template.Inputs, nil, ids)
		add(name, "x", dag.template.Name, "local/"+runName, "x", wfapi.NodeTypeRetry, dag.template.Inputs, nil, []string{inner})
	}
	text, _ := json.Marshal(full)
	whole = len(text)
	err := packer.CompressWorkflowIfNeeded(w.ctx, full)
	if err != nil {
		refused = err.Error()
	}
	text, _ = json.Marshal(full)
	return whole, len(text), refused
}
