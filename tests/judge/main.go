// Command judge says what a Kubernetes API server would answer to the creation of pods.
//
// It reads JSON from stdin, one pod a line: a Pod, or a draft of one (see draft.go). It writes one line of JSON a pod,
// in the same order: its name, the errors for which the API server refuses it, the warnings with which it takes it, and
// of a draft the pod that it became:
//
//	{"name": ..., "errors": [{"field": ..., "message": ...}], "warnings": [...], "pod": {...}}
//
// A line that is no JSON object ends it with a message and exit code 1.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/apis/core/validation"
)

type problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

type verdict struct {
	Name     string          `json:"name"`
	Errors   []problem       `json:"errors"`
	Warnings []string        `json:"warnings"`
	Pod      json.RawMessage `json:"pod,omitempty"`
}

func main() {
	if err := judge(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func judge(in io.Reader, out io.Writer) error {
	// Decodes, sets defaults and converts to the internal version, as the API server does with fieldValidation=Strict.
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	decoder := codecs.UniversalDecoder(core.SchemeGroupVersion)
	reader := bufio.NewReader(in)
	written := bufio.NewWriter(out)
	defer written.Flush()
	answers := json.NewEncoder(written)
	for number := 1; ; number++ {
		line, end := reader.ReadBytes('\n')
		if end != nil && end != io.EOF {
			return end
		}
		if len(bytes.TrimSpace(line)) > 0 {
			answer, err := judged(decoder, line)
			if err == nil {
				err = answers.Encode(answer)
			}
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if end == io.EOF {
			return nil
		}
	}
}

// judged is the verdict on a line; an error where the line is no JSON object.
func judged(decoder runtime.Decoder, line []byte) (verdict, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(line, &keys); err != nil || keys == nil {
		return verdict{}, fmt.Errorf("not a JSON object: %.80q", bytes.TrimSpace(line))
	}
	if _, is := keys["podSpecPatch"]; !is {
		return created(decoder, line), nil
	}
	pod, found := drafted(keys)
	if len(found) > 0 {
		return verdict{Name: nameOf(keys["pod"]), Errors: found, Warnings: []string{}}, nil
	}
	answer := created(decoder, pod)
	answer.Pod = pod
	return answer, nil
}

// created is what the API server has against a pod: first what it would drop or refuse when it reads it, then what its
// validation says (pkg/registry/core/pod/strategy.go, PrepareForCreate, Validate and WarningsOnCreate).
func created(decoder runtime.Decoder, text []byte) verdict {
	answer := verdict{Name: nameOf(text), Errors: []problem{}, Warnings: []string{}}
	kind := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	object, _, err := decoder.Decode(text, &kind, nil)
	if strict, is := runtime.AsStrictDecodingError(err); is {
		answer.Errors = problems(strict.Errors())
	} else if err != nil {
		answer.Errors = append(answer.Errors, problem{"", err.Error()})
		return answer
	}
	pod, is := object.(*core.Pod)
	if !is {
		answer.Errors = append(answer.Errors, problem{"kind", fmt.Sprintf("not a Pod: %T", object)})
		return answer
	}
	if pod.Namespace == "" {
		pod.Namespace = "default" // that of the request
	}
	podutil.DropDisabledPodFields(pod, nil)
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	options.ResourceIsPod = true
	for _, one := range validation.ValidatePodCreate(pod, options) {
		answer.Errors = append(answer.Errors, problem{one.Field, one.ErrorBody()})
	}
	answer.Warnings = append(answer.Warnings, podutil.GetWarningsForPod(context.Background(), pod, nil)...)
	return answer
}

// problems are what strict decoding found: unknown fields, and fields that are given twice.
func problems(found []error) []problem {
	all := []problem{}
	for _, err := range found {
		var placed interface{ FieldPath() string }
		if errors.As(err, &placed) {
			all = append(all, problem{placed.FieldPath(), err.Error()})
		} else {
			all = append(all, problem{"", err.Error()})
		}
	}
	return all
}

// nameOf is the name of a pod that may be no pod at all.
func nameOf(text []byte) string {
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if json.Unmarshal(text, &named) != nil {
		return ""
	}
	return named.Metadata.Name
}
