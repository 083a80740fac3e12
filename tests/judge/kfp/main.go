// Command kfp does with compiled pipelines what KFP's API server, Argo's validation and KFP's drivers do, by their own
// code, without a cluster: Kubernetes is an API server that has nothing, ML Metadata is in memory, and steps do not run
// but are entered as if they had.
//
// It reads questions from stdin, one JSON object a line, and writes an answer a line, in the same order.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	wfapi "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	"github.com/kubeflow/pipelines/backend/src/apiserver/config/proxy"
	"github.com/kubeflow/pipelines/backend/src/apiserver/model"
	"github.com/kubeflow/pipelines/backend/src/apiserver/template"
	"github.com/kubeflow/pipelines/backend/src/common/util"
	"github.com/spf13/viper"
)

// question is a compiled pipeline, and what is wanted of it.
type question struct {
	Name       string          `json:"name"`
	Text       string          `json:"text"`
	Parameters json.RawMessage `json:"parameters"` // of a run
	Cron       string          `json:"cron"`
	Walk       bool            `json:"walk"`
	Workflow   bool            `json:"workflow"`
	Done       map[string]done `json:"done"`
}

// done is how a step is to have ended; of what is not said here, something is invented.
type done struct {
	Failed     bool                       `json:"failed"`
	Parameters map[string]json.RawMessage `json:"parameters"`
	Artifacts  map[string]json.RawMessage `json:"artifacts"` // the metadata that each is given
}

// answer says what KFP and Argo made of a pipeline: where it failed, or how large it is and what became of each task.
type answer struct {
	Name      string              `json:"name"`
	Stage     string              `json:"stage,omitempty"`
	Error     string              `json:"error,omitempty"`
	Size      int                 `json:"size"`
	Largest   int                 `json:"largestArgument"`
	Scheduled int                 `json:"scheduled"`
	Whole     int                 `json:"whole"`
	Kept      int                 `json:"kept"`
	Refused   string              `json:"refused,omitempty"`
	Workflow  *wfapi.Workflow     `json:"workflow,omitempty"`
	Tasks     map[string]*outcome `json:"tasks,omitempty"`
}

const runID = "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
const runName = "a-run-x7x7x"

func main() {
	// Or glog would write files.
	if err := flag.CommandLine.Parse([]string{"-logtostderr"}); err != nil {
		panic(err)
	}
	viper.AutomaticEnv()
	proxy.InitializeConfig("", "", "")
	viper.Set("POD_NAMESPACE", "kubeflow")
	reader := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	enc := json.NewEncoder(out)
	for {
		line, end := reader.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			var asked question
			if err := json.Unmarshal(line, &asked); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			enc.Encode(answered(asked))
		}
		if end == io.EOF {
			return
		}
	}
}

func answered(asked question) (told *answer) {
	told = &answer{Name: asked.Name}
	defer func() {
		if caught := recover(); caught != nil {
			told.Error = fmt.Sprintf("panic: %v\n%s", caught, debug.Stack())
		}
	}()
	fail := func(stage string, err error) *answer {
		told.Stage, told.Error = stage, err.Error()
		return told
	}
	made, err := template.New([]byte(asked.Text), template.TemplateOptions{})
	if err != nil {
		return fail("upload", err)
	}
	parameters := string(asked.Parameters)
	if parameters == "" || parameters == "null" {
		parameters = "{}"
	}
	run := &model.Run{UUID: runID, DisplayName: "a run", K8SName: "a run", Namespace: "kubeflow"}
	run.PipelineSpec.RuntimeConfig.Parameters = model.LargeText(parameters)
	// A fresh one: an override of the name stays in it.
	execution, err := made.RunWorkflow(run, template.RunWorkflowOptions{RunID: runID, RunAt: 1767323045})
	if err != nil {
		return fail("compile", err)
	}
	if err := execution.Validate(false, false); err != nil {
		return fail("validate", err)
	}
	if err := execution.Validate(true, false); err != nil {
		return fail("lint", err)
	}
	execution.SetExecutionNamespace("kubeflow")
	workflow := execution.(*util.Workflow).Workflow
	told.Size = len(execution.ToStringForStore())
	if asked.Cron != "" {
		job := &model.Job{UUID: runID, DisplayName: "nightly", K8SName: "nightly", Namespace: "kubeflow", Enabled: true, MaxConcurrency: 1}
		job.PipelineSpec.RuntimeConfig.Parameters = model.LargeText(parameters)
		job.Trigger = model.Trigger{CronSchedule: model.CronSchedule{Cron: &asked.Cron}}
		scheduled, err := made.ScheduledWorkflow(job)
		if err != nil {
			return fail("schedule", err)
		}
		text, _ := json.Marshal(scheduled)
		told.Scheduled = len(text)
	}
	if asked.Workflow {
		told.Workflow = workflow
	}
	if asked.Walk {
		walker, err := walk(workflow, asked.Done)
		if walker != nil {
			told.Tasks = walker.outcomes
			told.Largest = walker.largest
			told.Whole, told.Kept, told.Refused = walker.measured()
		}
		if err != nil {
			return fail("walk", err)
		}
	}
	return told
}
